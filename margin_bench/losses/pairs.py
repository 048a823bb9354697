"""Sums of hinges over all pairs of a positive and a negative of a group, by sorting, without making the pairs."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.targets import UNLABELED, negatives, positives


def hinge_sum(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """Sum over p and n of max(0, margin - x_p + x_n)^power, in C log C steps for a group of C.

    Args:
        logits: float32 at least (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        power: 1 or 2. At the kink of the first the slope is that of either side.

    Returns:
        a sum per group; zero for a group without a positive or a negative.
    """
    result: Tensor = _HingeSum.apply(logits, targets, dim, margin, f"power {power}")
    return result


def hinge_rank_sum(logits: Tensor, targets: Tensor, dim: int, *, margin: float) -> Tensor:
    """Sum over p of log(1 + rank_p), where rank_p is the sum over n of max(0, margin - x_p + x_n).

    Arguments and result as for `hinge_sum`.
    """
    result: Tensor = _HingeSum.apply(logits, targets, dim, margin, "rank")
    return result


class _HingeSum(torch.autograd.Function):
    """Computes the slopes along with the sums: both come from running sums over the sorted group."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, dim: int, margin: float, form: str) -> Tensor:
        # Relative to the group's mean, which no difference changes, so that running sums lose no digits; a positive is
        # taken to stand `margin` lower, so that a pair costs something where the negative stands above.
        centred = logits - masked.mean(logits, targets != UNLABELED, dim).unsqueeze(dim)
        heights, order = torch.where(positives(targets), centred - margin, centred).sort(dim)
        ordered = targets.gather(dim, order)
        sums, slopes = _FORMS[form](heights, positives(ordered), negatives(ordered), dim)
        ctx.save_for_backward(torch.empty_like(logits).scatter_(dim, order, slopes.to(logits.dtype)))
        ctx.dim = dim
        return sums.to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grad.unsqueeze(ctx.dim), None, None, None, None


# Each of these gives a sum per group and the slope of each entry, from heights in ascending order.


def _hinges(heights: Tensor, is_positive: Tensor, is_negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    positive, negative = is_positive.to(heights.dtype), is_negative.to(heights.dtype)
    slopes = negative * positive.cumsum(dim) - positive * _sum_above(negative, dim)
    return (slopes * heights).sum(dim), slopes


def _squares(heights: Tensor, is_positive: Tensor, is_negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    heights = heights.double()  # slopes are small differences of large sums where few pairs cost something
    positive, negative = is_positive.to(heights.dtype), is_negative.to(heights.dtype)
    below = positive.cumsum(dim) * heights - (positive * heights).cumsum(dim)  # sum_p of the hinges of an n
    slopes = 2 * (negative * below.clamp_(min=0) - _excess(heights, positive, negative, dim))
    return (slopes * heights).sum(dim) / 2, slopes  # by Euler's theorem on homogeneous functions


def _ranks(heights: Tensor, is_positive: Tensor, is_negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    positive, negative = is_positive.to(heights.dtype), is_negative.to(heights.dtype)
    excess = _excess(heights, positive, negative, dim)
    weights = positive / (1 + excess)
    return excess.log1p().sum(dim), negative * weights.cumsum(dim) - weights * _sum_above(negative, dim)


_FORMS = {"power 1": _hinges, "power 2": _squares, "rank": _ranks}


def _excess(heights: Tensor, positive: Tensor, negative: Tensor, dim: int) -> Tensor:
    """For each positive the sum over n of the hinges; zero elsewhere."""
    sums = _sum_above(negative * heights, dim) - _sum_above(negative, dim) * heights
    return (positive * sums).clamp_(min=0)


def _sum_above(values: Tensor, dim: int) -> Tensor:
    """For each entry of a sorted group the sum of those that stand above it."""
    return values.sum(dim, keepdim=True) - values.cumsum(dim)
