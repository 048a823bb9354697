"""Compute the absolute error of each probability."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    """Return |p - y|, where p = sigmoid(x) and y is 1 of a positive and 0 of a negative.

    It is the probability of being wrong, 1 - p of a positive and p of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> absolute_error(logits, targets)  # p = 3/4
        tensor([[0.2500, 0.7500]])
    """
    return F.l1_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none")


class L1Loss(PointwiseLoss):
    """Average `absolute_error` over the labeled entries.

    Examples:
        >>> import torch
        >>> L1Loss()(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[1, 0, -1]], dtype=torch.int8))
        tensor(0.5000)
    """

    def __init__(self) -> None:
        super().__init__(absolute_error)
