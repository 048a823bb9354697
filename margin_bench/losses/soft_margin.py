"""Compute the logistic loss of labels +1 and -1: PyTorch's SoftMarginLoss. It equals the binary cross-entropy."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def soft_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Return log(1 + exp(-s x)), where the sign s is +1 of a positive and -1 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED, of which the signs are made.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> soft_margin(logits, targets)  # log(1 + 1/3) and log(1 + 3)
        tensor([[0.2877, 1.3863]])
    """
    return F.softplus(wrong_side(logits, targets))


class SoftMarginLoss(PointwiseLoss):
    """Average `soft_margin` over the labeled entries.

    Examples:
        >>> import torch
        >>> SoftMarginLoss()(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[1, 0, -1]], dtype=torch.int8))  # log 2
        tensor(0.6931)
    """

    def __init__(self) -> None:
        super().__init__(soft_margin)
