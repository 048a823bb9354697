"""A way says what a group is: one sample, one class, or the whole bucket. A criterion says what one group costs.

A criterion is a function (logits (M, C), targets (M, C), dim) -> (values, counts). A group lies along `dim`, so the
values have one entry per remaining index, and `counts` says, as bool, which groups count.
"""

from collections.abc import Callable

from torch import Tensor

from margin_bench.losses import masked

Criterion = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

SAMPLE, CLASS = 1, 0
_DIMS = {"sample": (SAMPLE,), "class": (CLASS,), "both": (SAMPLE, CLASS), "joint": (SAMPLE,)}


def check_way(way: str) -> None:
    """Raises ValueError for an unknown way."""
    if way not in _DIMS:
        raise ValueError(f"Expected a way of {', '.join(_DIMS)}, got {way!r}.")


def mean_over_groups(criterion: Criterion, logits: Tensor, targets: Tensor, way: str) -> Tensor:
    """Mean of the criterion over the groups that count; for `both` the sum of the two means (eq. 17).

    Args:
        criterion: what one group costs; see the module.
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` (rows, eq. 15), `class` (columns, eq. 16), `both` (eq. 17) or `joint` (the whole matrix, eq. 22).

    Returns:
        a scalar; zero, with a gradient of zeros, when no group counts.
    """
    if logits.numel() == 0:
        return logits.sum()
    if way == "joint":
        logits, targets = logits.reshape(1, -1), targets.reshape(1, -1)
    means = [masked.mean(*criterion(logits, targets, dim), dim=0) for dim in _DIMS[way]]
    return sum(means[1:], start=means[0])
