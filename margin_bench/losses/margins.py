"""Measure by how much the positives of a group stand above its negatives: the margin (eq. 8)."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.ways import groups
from margin_bench.targets import negatives, positives


def margin_of_groups(logits: Tensor, targets: Tensor, dim: int) -> Tensor:
    """Return the smallest positive logit minus the largest negative one of each group (eq. 8).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.

    Returns:
        float (M,) for dim=1, (C,) for dim=0; +inf for a group without a positive or a negative.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[5.0, 2.0, 1.0]]), torch.tensor([[1, 1, 0]], dtype=torch.int8)
        >>> margin_of_groups(logits, targets, dim=1)  # min(5, 2) - 1
        tensor([1.])
    """
    hard_positives = -masked.maximum(-logits, positives(targets), dim)
    return hard_positives - masked.maximum(logits, negatives(targets), dim)


def margins(logits: Tensor, targets: Tensor, way: str) -> tuple[Tensor, Tensor]:
    """Return the margin of each group of a bucket: a diagnostic, no loss. A group below zero is ranked wrongly.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        way: `sample` for one margin per row, `class` for one per column, `joint` for one in all.

    Returns:
        the margin of each group, +inf without a positive or a negative, in float32 at least; and bool, whether the
        group has both. Each is (M,), (C,) or (1,).

    Raises:
        TypeError: the logits or the targets are of a wrong dtype.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> logits = torch.tensor([[5.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
        >>> targets = torch.tensor([[1, 1, 0], [0, 0, 0]], dtype=torch.int8)
        >>> margins(logits, targets, "sample")
        (tensor([1., inf]), tensor([ True, False]))
    """
    logits, targets, (dim,) = groups(logits, targets, way)
    gaps = margin_of_groups(logits, targets, dim)
    return gaps, gaps != float("inf")
