"""The Dice loss: Milletari et al., "V-Net", 3DV 2016, with probabilities summed plainly."""

import torch
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labelled, positives


def dice(logits: Tensor, targets: Tensor, dim: int, *, smoothing: float) -> Tensor:
    """1 - (2 sum_p p_i + s) / (sum p_i + |P| + s), the sums over the positives and over all labelled, p_i = sigmoid(x).

    It is about a set, not about single logits: a group's probabilities against its positives.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        smoothing: s, keeps the slope finite where the probabilities vanish.

    Returns:
        what each group costs, from 0 to 1.
    """
    probabilities = torch.sigmoid(logits) * labelled(targets, logits.dtype)
    is_positive = positives(targets, logits.dtype)
    overlap = (probabilities * is_positive).sum(dim)
    sizes = probabilities.sum(dim) + is_positive.sum(dim)
    return 1 - (2 * overlap + smoothing) / (sizes + smoothing)


class DiceLoss(RelativeLoss):
    """`dice` as a module; see there.

    Raises:
        ValueError: a smoothing that is not above zero, an unknown way.
    """

    def __init__(self, *, smoothing: float, way: str = "both") -> None:
        check_above_zero(smoothing=smoothing)
        super().__init__(dice, way, smoothing=smoothing)
