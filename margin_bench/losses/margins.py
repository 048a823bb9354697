"""The margin by which a group's positives stand above its negatives: a diagnostic, no loss."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.ways import groups
from margin_bench.targets import negatives, positives


def margins(logits: Tensor, targets: Tensor, way: str) -> tuple[Tensor, Tensor]:
    """The smallest positive logit minus the largest negative one (eq. 8). A group below zero is ranked wrongly.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` for one margin per row, `class` for one per column, `joint` for one in all.

    Returns:
        the margin of each group, +inf without a positive or a negative; and, as bool, which groups have both.
    """
    logits, targets, (dim,) = groups(logits, targets, way)
    hard_positives = -masked.maximum(-logits, positives(targets), dim)
    hard_negatives = masked.maximum(logits, negatives(targets), dim)
    gaps = hard_positives - hard_negatives
    return gaps, gaps != float("inf")
