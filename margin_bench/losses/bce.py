"""Compute the binary cross-entropy of each logit (eq. 19): PyTorch's MultiLabelSoftMarginLoss."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Return -log p of a positive and -log(1 - p) of a negative, where p = sigmoid(x) (eq. 19).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> bce(logits, targets)  # p = 3/4: log 4/3 and log 4
        tensor([[0.2877, 1.3863]])
    """
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none")


class BCELoss(PointwiseLoss):
    """Average `bce` over the labeled entries.

    Examples:
        >>> import torch
        >>> BCELoss()(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[1, 0, -1]], dtype=torch.int8))  # log 2
        tensor(0.6931)
    """

    def __init__(self) -> None:
        super().__init__(bce)
