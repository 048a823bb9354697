"""The Huber loss of each probability: Huber, "Robust Estimation of a Location Parameter", 1964."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss


def huber(logits: Tensor, targets: Tensor, *, delta: float) -> Tensor:
    """r^2 / 2 up to r = delta, delta (r - delta / 2) beyond; r = |p - y|, p = sigmoid(x), y = 1 or 0.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        delta: from 1 on it is half the Brier score, as no error of a probability is larger.

    Returns:
        what each entry costs, (M, C).
    """
    return F.huber_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none", delta=delta)


class HuberLoss(PointwiseLoss):
    """`huber` as a module; see there.

    Raises:
        ValueError: a delta that is not above zero.
    """

    def __init__(self, *, delta: float) -> None:
        check_above_zero(delta=delta)
        super().__init__(huber, delta=delta)
