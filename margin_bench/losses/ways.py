"""A way says what a group is: one sample, one class, or the whole bucket. A criterion says what one group costs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from margin_bench.losses import masked
from margin_bench.targets import check_bucket, negatives, positives

# (logits (M, C), targets (M, C), dim) -> what each group costs; a group lies along `dim`.
Criterion = Callable[[Tensor, Tensor, int], Tensor]

_DIMS = {"sample": (1,), "class": (0,), "both": (1, 0), "joint": (1,)}


def check_way(way: str) -> None:
    """Raises ValueError for an unknown way."""
    if way not in _DIMS:
        raise ValueError(f"way: expected one of {', '.join(_DIMS)}, got {way!r}.")


def groups(logits: Tensor, targets: Tensor, way: str) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Logits and targets, and the dimensions along which their groups lie.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` (rows, eq. 15), `class` (columns, eq. 16), `both` (eq. 17) or `joint` (all as one row, eq. 22).

    Returns:
        the logits in float32 at least, the targets, and one dimension, or two for both ways.

    Raises:
        TypeError, ValueError: from `margin_bench.targets.check_bucket`.
    """
    check_bucket(logits, targets)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if way == "joint":
        logits, targets = logits.reshape(1, -1), targets.reshape(1, -1)
    return logits, targets, _DIMS[way]


def mean_over_groups(criterion: Criterion, logits: Tensor, targets: Tensor, way: str) -> Tensor:
    """Mean of the criterion over the groups with a positive and a negative; in both ways the sum of the two means.

    Args:
        criterion: what each group costs; its value for a group without a positive or a negative is not used.
        logits, targets, way: as for `groups`.

    Returns:
        a scalar; zero, with a gradient of zeros, if no group has a positive and a negative.
    """
    logits, targets, dims = groups(logits, targets, way)
    if logits.numel() == 0:
        return logits.sum()  # zero
    means = [masked.mean(criterion(logits, targets, dim), _counting(targets, dim), dim=0) for dim in dims]
    return sum(means[1:], start=means[0])


def _counting(targets: Tensor, dim: int) -> Tensor:
    """Return whether each group has a positive and a negative: bool (M,) for dim=1, (C,) for dim=0."""
    has_positive = positives(targets.amax(dim))  # POSITIVE is the largest of the three numbers
    return has_positive & (negatives(targets, torch.float32).amax(dim) > 0)


class RelativeLoss(nn.Module):
    """A criterion as a module: `mean_over_groups` with the criterion's own parameters.

    Args:
        criterion: called as `criterion(logits, targets, dim, **parameters)`; see `Criterion`.
        way: what a group is; see `groups`.
        parameters: of the criterion, checked by the caller.

    Raises:
        ValueError: an unknown way.
    """

    def __init__(self, criterion: Callable[..., Tensor], way: str, **parameters: Any) -> None:
        super().__init__()
        check_way(way)
        self.criterion = criterion
        self.way = way
        self.criterion_parameters = parameters

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return mean_over_groups(partial(self.criterion, **self.criterion_parameters), logits, targets, self.way)

    def extra_repr(self) -> str:
        shown = {"way": self.way} | self.criterion_parameters
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())
