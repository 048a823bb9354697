"""Resample test samples, to see how much a mean average precision depends on which of them there are.

A resample draws as many samples as there are, with replacement: it is a number of draws for each sample. All runs are
scored on the same resamples, which makes their differences paired. Imports no torch.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from margin_bench.metrics.average_precision import sample_average_precisions
from margin_bench.metrics.rankings import Scores, Targets
from margin_bench.runtime.hardware import usable_cores
from margin_bench.targets import labeled, positives

Draws = NDArray[np.unsignedinteger[Any]]
Statistic = Callable[[Draws], NDArray[np.float64]]

_BLOCK = 64  # resamples at once: the draws of so many, 5 MB on COCO, stay in the cache


def bootstrap(statistics: Sequence[Statistic], num_samples: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Compute every statistic on every resample, with all cores.

    Args:
        statistics: functions of draws (num_samples, B) that return float64 (B,).
        num_samples: how many samples there are, and how many each resample draws.
        resamples: how many.
        seed: of the draws.

    Returns:
        float64 (resamples, statistics), the same for any number of cores.

    Examples:
        >>> share_drawn = lambda draws: (draws > 0).mean(axis=0)
        >>> bootstrap([share_drawn], num_samples=1, resamples=3, seed=0).tolist()  # one sample is drawn each time
        [[1.0], [1.0], [1.0]]
    """

    def block(start: int) -> NDArray[np.float64]:
        drawn = draws(num_samples, range(start, min(start + _BLOCK, resamples)), seed)
        return np.stack([statistic(drawn) for statistic in statistics], axis=1)

    with ThreadPoolExecutor(usable_cores()) as threads:  # numpy and scipy let go of the interpreter's lock
        return np.concatenate(list(threads.map(block, range(0, resamples, _BLOCK))))


def draws(num_samples: int, resamples: range, seed: int) -> Draws:
    """Draw resamples: return how often each sample is drawn.

    Args:
        num_samples: how many samples there are.
        resamples: the numbers of the resamples. Number b depends on `seed` and b alone.
        seed: of the draws.

    Returns:
        Unsigned integers (num_samples, len(resamples)), of a dtype that can hold `num_samples`.

    Examples:
        >>> draws(5, range(3), seed=0).sum(axis=0).tolist()
        [5, 5, 5]
    """
    counts = np.empty((len(resamples), num_samples), np.min_scalar_type(num_samples))
    for row, number in enumerate(resamples):
        drawn = np.random.default_rng((seed, number)).integers(num_samples, size=num_samples)
        counts[row] = np.bincount(drawn, minlength=num_samples)
    return np.ascontiguousarray(counts.T)


def map_class_of_draws(scores: Scores, targets: Targets) -> Statistic:
    """Make mAP@class a function of draws, which is NaN for a resample without any positive.

    Args:
        scores: float (N, C), finite.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Examples:
        >>> scores = np.array([[0.9], [0.5], [0.2]])
        >>> targets = np.array([[0], [1], [0]], np.int8)
        >>> of_draws = map_class_of_draws(scores, targets)
        >>> of_draws(np.array([[1, 0], [1, 2], [1, 1]], np.uint8)).tolist()  # each once; the first left out
        [0.5, 1.0]
    """
    per_class = [_average_precision_of_draws(*column) for column in zip(scores.T, targets.T, strict=True)]

    def statistic(draws: Draws) -> NDArray[np.float64]:
        precisions = np.stack([average_precision(draws) for average_precision in per_class])
        counted = ~np.isnan(precisions)
        return _ratio(precisions.sum(axis=0, where=counted), np.count_nonzero(counted, axis=0))

    return statistic


def map_sample_of_draws(scores: Scores, targets: Targets) -> Statistic:
    """Make mAP@sample a function of draws, which is NaN for a resample without any positive.

    Args:
        scores: float (N, C), finite.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Examples:
        >>> scores = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)  # average precisions of 1 and 1/2
        >>> of_draws = map_sample_of_draws(scores, targets)
        >>> of_draws(np.array([[1, 2], [1, 0]], np.uint8)).tolist()  # each once; the first twice
        [0.75, 1.0]
    """
    precisions = sample_average_precisions(scores, targets)
    counted = ~np.isnan(precisions)
    terms = np.stack([np.where(counted, precisions, 0), counted])

    def statistic(draws: Draws) -> NDArray[np.float64]:
        sums, counts = terms @ draws
        return _ratio(sums, counts)

    return statistic


def _average_precision_of_draws(scores: Scores, targets: Targets) -> Statistic:
    """Make the average precision of one ranking, (N,), a function of draws; NaN for a resample without its positives.

    A sample that is drawn k times makes k ties, so precision changes only where a positive scores. The entries between
    two such thresholds are summed at once, by a sparse matrix of ones (thresholds, N), the highest threshold first.
    """
    thresholds = np.unique(scores[positives(targets)])
    rows = len(thresholds) - np.searchsorted(thresholds, scores, side="right")

    def between_thresholds(mask: NDArray[np.bool_]) -> csr_array:
        entries = np.flatnonzero(mask & (rows < len(thresholds)))
        ones = np.ones(len(entries), np.min_scalar_type(len(scores)))
        return csr_array((ones, (rows[entries], entries)), shape=(len(thresholds), len(scores)))

    of_labeled, of_positives = between_thresholds(labeled(targets)), between_thresholds(positives(targets))

    def statistic(draws: Draws) -> NDArray[np.float64]:
        num_here = of_positives @ draws
        num_positives = np.cumsum(num_here, axis=0, dtype=draws.dtype)
        num_labeled = np.cumsum(of_labeled @ draws, axis=0, dtype=draws.dtype)
        precision = num_positives / np.maximum(num_labeled, 1)
        return _ratio(np.einsum("ij,ij->j", num_here, precision), num_here.sum(axis=0))

    return statistic


def _ratio(sums: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Divide; NaN where nothing counts."""
    ratio = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=ratio, where=counts > 0)
    return ratio
