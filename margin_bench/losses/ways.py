"""Apply a criterion to the groups of a bucket.

A way says what a group is: one sample, one class, or the whole bucket. A criterion says what one group costs.
"""

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
    """Refuse an unknown way.

    Args:
        way: one of `sample`, `class`, `both` and `joint`, if all is right.

    Raises:
        ValueError: the way is none of these.

    Examples:
        >>> check_way("rows")
        Traceback (most recent call last):
            ...
        ValueError: way: expected one of sample, class, both, joint, got 'rows'.
    """
    if way not in _DIMS:
        raise ValueError(f"way: expected one of {', '.join(_DIMS)}, got {way!r}.")


def groups(logits: Tensor, targets: Tensor, way: str) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Return logits and targets, and the dimensions along which their groups lie.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` (rows, eq. 15), `class` (columns, eq. 16), `both` (eq. 17) or `joint` (all as one row, eq. 22).

    Returns:
        the logits in float32 at least, the targets, and one dimension, or two for `both`. For `joint` logits and
        targets are (1, M C).

    Raises:
        TypeError: the logits or the targets are of a wrong dtype.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> logits, targets = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int8)
        >>> groups(logits, targets, "both")[2]
        (1, 0)
        >>> groups(logits, targets, "joint")[0].shape
        torch.Size([1, 6])
    """
    check_bucket(logits, targets)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if way == "joint":
        logits, targets = logits.reshape(1, -1), targets.reshape(1, -1)
    return logits, targets, _DIMS[way]


def mean_over_groups(criterion: Criterion, logits: Tensor, targets: Tensor, way: str) -> Tensor:
    """Return the mean of a criterion over the groups with a positive and a negative.

    Args:
        criterion: says what each group costs. Its value for a group without a positive or a negative is not used.
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: what a group is; see `groups`.

    Returns:
        a scalar, in float32 at least. For `both` it is the sum of the two means. It is zero, with a gradient of
        zeros, if no group has a positive and a negative.

    Raises:
        TypeError: the logits or the targets are of a wrong dtype.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1], [0, 0]], dtype=torch.int8)
        >>> def total(logits, targets, dim):
        ...     return logits.sum(dim)
        >>> mean_over_groups(total, logits, targets, "sample")  # (3 + 7) / 2, as the last row has no positive
        tensor(5.)
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
    """Average a criterion over the groups that count, in one of the ways; see `mean_over_groups`.

    Args:
        criterion: called as `criterion(logits, targets, dim, **parameters)`; see `Criterion`.
        way: what a group is; see `groups`.
        **parameters: keyword arguments of the criterion, checked by the caller.

    Raises:
        ValueError: the way is unknown.

    Examples:
        >>> import torch
        >>> def spread(logits, targets, dim, *, factor):
        ...     return factor * (logits.amax(dim) - logits.amin(dim))
        >>> loss = RelativeLoss(spread, "sample", factor=2.0)
        >>> loss(torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8))  # 2 (3 - 0)
        tensor(6.)
    """

    def __init__(self, criterion: Callable[..., Tensor], way: str, **parameters: Any) -> None:
        super().__init__()
        check_way(way)
        self.criterion = criterion
        self.way = way
        self.criterion_parameters = parameters

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a bucket.

        Args:
            logits: float (M, C).
            targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

        Returns:
            a scalar, as `mean_over_groups` gives it.
        """
        return mean_over_groups(partial(self.criterion, **self.criterion_parameters), logits, targets, self.way)

    def extra_repr(self) -> str:
        """Return the way and the parameters, for `repr`."""
        shown = {"way": self.way} | self.criterion_parameters
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())
