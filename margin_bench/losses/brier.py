"""Compute the Brier score: Brier, "Verification of forecasts expressed in terms of probability", 1950."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Return (p - y)^2, where p = sigmoid(x) and y is 1 of a positive and 0 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> brier(logits, targets)  # p = 3/4: 1/16 and 9/16
        tensor([[0.0625, 0.5625]])
    """
    return F.mse_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none")


class BrierLoss(PointwiseLoss):
    """Average `brier` over the labeled entries.

    Examples:
        >>> import torch
        >>> BrierLoss()(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[1, 0, -1]], dtype=torch.int8))  # 1/4
        tensor(0.2500)
    """

    def __init__(self) -> None:
        super().__init__(brier)
