"""The binary cross-entropy of each logit (eq. 19): PyTorch's MultiLabelSoftMarginLoss."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.pointwise import PointwiseLoss


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p of a positive, -log(1 - p) of a negative, with p = sigmoid(x) (eq. 19).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        what each entry costs, (M, C).
    """
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none")


class BCELoss(PointwiseLoss):
    """`bce` as a module; see there."""

    def __init__(self) -> None:
        super().__init__(bce)
