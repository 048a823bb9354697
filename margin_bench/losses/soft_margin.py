"""The logistic loss of labels +1 and -1: PyTorch's SoftMarginLoss. It equals the binary cross-entropy."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def soft_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """log(1 + exp(-s x)) with the sign s = +1 of a positive and -1 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED; the signs are made of these.

    Returns:
        what each entry costs, (M, C).
    """
    return F.softplus(wrong_side(logits, targets))


class SoftMarginLoss(PointwiseLoss):
    """`soft_margin` as a module; see there."""

    def __init__(self) -> None:
        super().__init__(soft_margin)
