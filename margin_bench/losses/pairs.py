"""Sum hinges over all pairs of a positive and a negative of a group, by visiting the pairs or by sorting."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.targets import labeled, negatives, positives

# Positives per group, in the mean, up to which visiting all pairs is faster than sorting on a CPU.
FEW = 20


def hinge_sum(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """Return the sum over p and n of max(0, margin - x_p + x_n)^power of each group.

    A group of K entries takes |P| K steps where the pairs are visited, and K log K where the group is sorted.

    Args:
        logits: float (M, C), in float32 at least.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: by which a positive is to stand above a negative.
        power: 1 or 2. At the kink of the first the slope is that of either side.

    Returns:
        float (M,) for dim=1, (C,) for dim=0; zero for a group without a positive or a negative.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, 3.0, 1.5, 0.0]]), torch.tensor([[1, 0, 0, 0]], dtype=torch.int8)
        >>> hinge_sum(logits, targets, 1, margin=1.0, power=1)  # 2 + 0.5 + 0
        tensor([2.5000])
        >>> hinge_sum(logits, targets, 1, margin=1.0, power=2)  # 4 + 0.25 + 0
        tensor([4.2500])
    """
    return _sums(logits, targets, dim, margin, f"power {power}")


def hinge_rank_sum(logits: Tensor, targets: Tensor, dim: int, *, margin: float) -> Tensor:
    """Return the sum over p of log(1 + r_p) of each group, where r_p is the sum over n of max(0, margin - x_p + x_n).

    Args:
        logits: as for `hinge_sum`.
        targets: as for `hinge_sum`.
        dim: as for `hinge_sum`.
        margin: as for `hinge_sum`.

    Returns:
        as for `hinge_sum`.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, 3.0, 2.0, 0.0]]), torch.tensor([[1, 0, 0, 0]], dtype=torch.int8)
        >>> hinge_rank_sum(logits, targets, 1, margin=1.0)  # log(1 + 2 + 1 + 0)
        tensor([1.3863])
    """
    return _sums(logits, targets, dim, margin, "rank")


def _sums(logits: Tensor, targets: Tensor, dim: int, margin: float, form: str) -> Tensor:
    result: Tensor = _HingeSum.apply(logits, targets, dim, margin, form)
    return result


class _HingeSum(torch.autograd.Function):
    """Compute the slopes along with the sums."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, dim: int, margin: float, form: str) -> Tensor:
        # A GPU would have to be waited for to know their number.
        has_few = logits.device.type == "cpu" and int(positives(targets).count_nonzero()) <= FEW * logits.shape[1 - dim]
        sums, slopes = (_visited if has_few else _sorted)(logits, targets, dim, margin, form)
        ctx.save_for_backward(slopes)
        ctx.dim = dim
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grad.unsqueeze(ctx.dim), None, None, None, None


def _visited(logits: Tensor, targets: Tensor, dim: int, margin: float, form: str) -> tuple[Tensor, Tensor]:
    """Return the sums and slopes from the hinges of each positive with every entry of its group, (P, K)."""
    values, labels = logits.movedim(dim, -1).contiguous(), targets.movedim(dim, -1).contiguous()
    group, place = positives(labels).nonzero(as_tuple=True)
    hinges = masked.keep(values, negatives(labels, values.dtype)).index_select(0, group)
    hinges.sub_((values[group, place] - margin).unsqueeze(1)).clamp_(min=0)
    costs, slopes_of_pairs = _costs_and_slopes(hinges, form)
    slopes = torch.zeros_like(values).index_add_(0, group, slopes_of_pairs)
    slopes[group, place] = -slopes_of_pairs.sum(1)
    return values.new_zeros(len(values)).index_add_(0, group, costs), slopes.movedim(-1, dim)


def _costs_and_slopes(hinges: Tensor, form: str) -> tuple[Tensor, Tensor]:
    """Return what each row of hinges (P, K) costs, and the slope of that in each of them. Overwrite the hinges."""
    if form == "power 2":
        return hinges.square().sum(1), hinges.mul_(2)
    sums = hinges.sum(1)
    if form == "rank":
        return sums.log1p(), hinges.sign_().div_(1 + sums.unsqueeze(1))
    return sums, hinges.sign_()


def _sorted(logits: Tensor, targets: Tensor, dim: int, margin: float, form: str) -> tuple[Tensor, Tensor]:
    """Return the sums and slopes from running sums over each sorted group, without making the pairs."""
    # Relative to the group's mean, which no difference changes, so that running sums lose no digits; a positive is
    # taken to stand `margin` lower, so that a pair costs something where the negative stands above.
    centred = logits - masked.mean(logits, labeled(targets), dim).unsqueeze(dim)
    heights, order = torch.where(positives(targets), centred - margin, centred).sort(dim)
    if form == "power 2":
        heights = heights.double()  # slopes are small differences of large sums where few pairs cost something
    ordered = targets.gather(dim, order)
    positive, negative = positives(ordered, heights.dtype), negatives(ordered, heights.dtype)
    sums, slopes = _RUNNING[form](heights, positive, negative, dim)
    return sums.to(logits.dtype), torch.empty_like(logits).scatter_(dim, order, slopes.to(logits.dtype))


# Each of these gives a sum per group and the slope of each entry, from heights in ascending order and masks of 0 and 1.


def _hinges(heights: Tensor, positive: Tensor, negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    slopes = negative * positive.cumsum(dim) - positive * _sum_above(negative, dim)
    return (slopes * heights).sum(dim), slopes


def _squares(heights: Tensor, positive: Tensor, negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    below = positive.cumsum(dim) * heights - (positive * heights).cumsum(dim)  # sum_p of the hinges of an n
    slopes = 2 * (negative * below.clamp_(min=0) - _excess(heights, positive, negative, dim))
    return (slopes * heights).sum(dim) / 2, slopes  # by Euler's theorem on homogeneous functions


def _ranks(heights: Tensor, positive: Tensor, negative: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    excess = _excess(heights, positive, negative, dim)
    weights = positive / (1 + excess)
    return excess.log1p().sum(dim), negative * weights.cumsum(dim) - weights * _sum_above(negative, dim)


_RUNNING = {"power 1": _hinges, "power 2": _squares, "rank": _ranks}


def _excess(heights: Tensor, positive: Tensor, negative: Tensor, dim: int) -> Tensor:
    """Return for each positive the sum over n of the hinges; zero elsewhere."""
    sums = _sum_above(negative * heights, dim) - _sum_above(negative, dim) * heights
    return (positive * sums).clamp_(min=0)


def _sum_above(values: Tensor, dim: int) -> Tensor:
    """Return for each entry of a sorted group the sum of those that stand above it."""
    return values.sum(dim, keepdim=True) - values.cumsum(dim)
