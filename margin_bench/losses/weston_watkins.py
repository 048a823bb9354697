"""Compute the multi-class hinge in its sum form, torch.nn.MultiMarginLoss.

Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", ESANN 1999.
"""

from torch import Tensor

from margin_bench.losses.pairs import hinge_sum
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labeled, positives


def weston_watkins(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """Return the mean over p of sum_n max(0, margin - x_p + x_n)^power / K, where K is the number of labeled entries.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: by which a positive is to stand above a negative.
        power: 1 or 2. At the kink of the first the slope is that of either side.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, 2.5, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> weston_watkins(logits, targets, 1, margin=1.0, power=1)  # (1.5 + 0) / 3
        tensor([0.5000])
        >>> weston_watkins(logits, targets, 1, margin=1.0, power=2)  # (2.25 + 0) / 3
        tensor([0.7500])
    """
    num_positives = positives(targets, logits.dtype).sum(dim)
    num_labeled = labeled(targets, logits.dtype).sum(dim)
    sums = hinge_sum(logits, targets, dim, margin=margin, power=power)
    return sums / (num_positives * num_labeled).clamp(min=1)


class WestonWatkinsLoss(RelativeLoss):
    """Average `weston_watkins` over the groups that count.

    Args:
        margin: as for `weston_watkins`.
        power: as for `weston_watkins`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite, the power is neither 1 nor 2, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = WestonWatkinsLoss(margin=1.0, power=1, way="sample")
        >>> loss(torch.tensor([[2.0, 2.5, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8))
        tensor(0.5000)
    """

    def __init__(self, *, margin: float, power: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(1, 2, power=power)
        super().__init__(weston_watkins, way, margin=margin, power=power)
