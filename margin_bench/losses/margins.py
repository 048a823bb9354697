"""The margin by which a group's positives stand above its negatives (eq. 8)."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.ways import groups
from margin_bench.targets import negatives, positives


def margin_of_groups(logits: Tensor, targets: Tensor, dim: int) -> Tensor:
    """The smallest positive logit minus the largest negative one of each group along `dim`; +inf if either lacks."""
    hard_positives = -masked.maximum(-logits, positives(targets), dim)
    return hard_positives - masked.maximum(logits, negatives(targets), dim)


def margins(logits: Tensor, targets: Tensor, way: str) -> tuple[Tensor, Tensor]:
    """The margin of each group of a bucket: a diagnostic, no loss. A group below zero is ranked wrongly.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` for one margin per row, `class` for one per column, `joint` for one in all.

    Returns:
        the margin of each group, +inf without a positive or a negative; and, as bool, which groups have both.
    """
    logits, targets, (dim,) = groups(logits, targets, way)
    gaps = margin_of_groups(logits, targets, dim)
    return gaps, gaps != float("inf")
