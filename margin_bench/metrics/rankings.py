"""Check scores and targets, and average over samples: what every metric of rankings needs."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED, positives

Scores = NDArray[np.floating[Any]]
Targets = NDArray[np.integer[Any]]

_BLOCK_ENTRIES = 1 << 18  # what is worked on at once: few enough to stay in the cache


def check_rankings(scores: Scores, targets: Targets, ndim: int = 2) -> None:
    """Check that scores are finite and have the shape of their targets, which are POSITIVE, NEGATIVE and UNLABELED.

    Args:
        scores: float, of any shape.
        targets: int8, of the same shape.
        ndim: the number of dimensions to expect.

    Raises:
        ValueError: a score is NaN or infinite, a target is another number, the shapes differ, or they have another
            number of dimensions.

    Examples:
        >>> check_rankings(np.zeros((2, 3)), np.zeros((2, 3), np.int8))
        >>> check_rankings(np.zeros((2, 3)), np.zeros((2, 4), np.int8))
        Traceback (most recent call last):
            ...
        ValueError: Expected scores and targets of one shape with 2 dimensions, got (2, 3) and (2, 4).
    """
    if scores.ndim != ndim or scores.shape != targets.shape:
        raise ValueError(
            f"Expected scores and targets of one shape with {ndim} dimension{'s' if ndim > 1 else ''}, got "
            f"{scores.shape} and {targets.shape}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"Expected finite scores, got {np.count_nonzero(~np.isfinite(scores))} NaN or infinite ones.\n"
            "The model has diverged, or its scores are in too small a dtype: give float32."
        )
    is_known = (targets == POSITIVE) | (targets == NEGATIVE) | (targets == UNLABELED)
    if not is_known.all():
        raise ValueError(
            f"Expected targets of 1 (positive), 0 (negative) and -1 (unlabeled), got {targets[~is_known][0]}.\n"
            "A label between 0 and 1 must become one of the three."
        )


def mean_over_samples(of_rows: Callable[[Scores, Targets], NDArray[Any]], scores: Scores, targets: Targets) -> float:
    """Average a quantity of single samples over all samples with a positive.

    Args:
        of_rows: a function of scores (n, C) and targets (n, C), every row of which has a positive, that returns the n
            values. It is called with as many rows at once as stay in the cache.
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no sample has a positive, or as `check_rankings`.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.5, 0.4]])
        >>> targets = np.array([[1, 0], [1, 1], [0, 0]], np.int8)
        >>> mean_over_samples(lambda scores, targets: targets.sum(axis=1), scores, targets)
        1.5
    """
    check_rankings(scores, targets)
    counted = np.flatnonzero(positives(targets).any(axis=1))
    if not len(counted):
        raise ValueError("Expected at least one positive label, got none: the mean over samples is not defined.")
    blocks = (counted[rows] for rows in blocks_of(len(counted), scores.shape[1]))
    return float(np.concatenate([of_rows(scores[rows], targets[rows]) for rows in blocks]).mean())


def blocks_of(num_rankings: int, length: int) -> Iterator[slice]:
    """Divide rankings, each of `length` entries, into slices of as many as stay in the cache together.

    Examples:
        >>> list(blocks_of(num_rankings=5, length=100_000))  # 262,144 entries stay
        [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    size = max(1, _BLOCK_ENTRIES // max(1, length))
    return (slice(start, start + size) for start in range(0, num_rankings, size))
