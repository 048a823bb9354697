"""Compute the multi-class hinge in its max form.

Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", JMLR 2001.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.margins import margin_of_groups
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss


def crammer_singer(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """Return max(0, margin - min_p x_p + max_n x_n)^power, the hinge of the group's margin (eq. 8).

    With one positive this is the loss of Crammer and Singer. Of several positives the lowest counts.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: by which every positive is to stand above every negative.
        power: 1 or 2.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. The slope is 0 at the kink, and equally hard logits
        share it.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 1.0, 2.5]]), torch.tensor([[1, 1, 0]], dtype=torch.int8)
        >>> crammer_singer(logits, targets, 1, margin=1.0, power=1)  # 1 - 1 + 2.5
        tensor([2.5000])
    """
    return F.relu(margin - margin_of_groups(logits, targets, dim)) ** power


class CrammerSingerLoss(RelativeLoss):
    """Average `crammer_singer` over the groups that count.

    Args:
        margin: as for `crammer_singer`.
        power: as for `crammer_singer`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite, the power is neither 1 nor 2, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = CrammerSingerLoss(margin=1.0, power=2, way="sample")
        >>> loss(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[1, 1, 0]], dtype=torch.int8))  # (1 - 1 + 2)^2
        tensor(4.)
    """

    def __init__(self, *, margin: float, power: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(1, 2, power=power)
        super().__init__(crammer_singer, way, margin=margin, power=power)
