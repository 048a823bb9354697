"""The absolute error of each probability."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    """|p - y| with p = sigmoid(x), and y = 1 of a positive and 0 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        what each entry costs, (M, C): the probability of being wrong, 1 - p of a positive and p of a negative.
    """
    return F.l1_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none")


class L1Loss(PointwiseLoss):
    """`absolute_error` as a module; see there."""

    def __init__(self) -> None:
        super().__init__(absolute_error)
