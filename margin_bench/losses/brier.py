"""The Brier score: Brier, "Verification of forecasts expressed in terms of probability", 1950."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """(p - y)^2 with p = sigmoid(x), and y = 1 of a positive and 0 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        what each entry costs, (M, C).
    """
    return F.mse_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none")


class BrierLoss(PointwiseLoss):
    """`brier` as a module; see there."""

    def __init__(self) -> None:
        super().__init__(brier)
