"""The multi-class hinge in its max form: Crammer and Singer, JMLR 2001."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.margins import margin_of_groups
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss


def crammer_singer(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """max(0, margin - min_p x_p + max_n x_n)^power: the hinge of the group's margin (eq. 8).

    With one positive this is the loss of Crammer and Singer; of several the lowest counts.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: by which every positive is to stand above every negative.
        power: 1 or 2.

    Returns:
        what each group costs. The slope is 0 at the kink; equally hard logits share it.
    """
    return F.relu(margin - margin_of_groups(logits, targets, dim)) ** power


class CrammerSingerLoss(RelativeLoss):
    """`crammer_singer` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, another power, an unknown way.
    """

    def __init__(self, *, margin: float, power: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(1, 2, power=power)
        super().__init__(crammer_singer, way, margin=margin, power=power)
