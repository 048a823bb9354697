"""Compute average precision over samples and over classes.

The average precision of one ranking is the mean, over its positives, of the precision at each: of all entries that
score at least as high as it, the share that is positive. Ties are grouped as scikit-learn groups them. Unlabeled
entries are dropped one by one. A ranking without positives has no average precision.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from margin_bench.metrics.rankings import Scores, Targets, blocks_of, check_rankings
from margin_bench.targets import labeled, positives


def map_class(scores: Scores, targets: Targets) -> float:
    """Return mAP@class (eq. 23): the mean of `class_average_precisions` over the classes with a positive, in 0 .. 1.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no class has a positive, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8], [0.5, 0.9], [0.2, 0.1]])
        >>> targets = np.array([[1, 1], [0, 0], [0, -1]], np.int8)
        >>> map_class(scores, targets)
        0.75
    """
    return _mean_of_counted(class_average_precisions(scores, targets))


def map_sample(scores: Scores, targets: Targets) -> float:
    """Return mAP@sample (eq. 24): the mean of `sample_average_precisions` over the samples with a positive, in 0 .. 1.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no sample has a positive, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8, 0.1], [0.5, 0.9, 0.2], [0.2, 0.1, 0.3]])
        >>> targets = np.array([[1, 0, 0], [1, 0, -1], [0, 0, 0]], np.int8)
        >>> map_sample(scores, targets)
        0.75
    """
    return _mean_of_counted(sample_average_precisions(scores, targets))


def average_precision(scores: Scores, targets: Targets) -> float:
    """Return the average precision of one ranking, in 0 .. 1; NaN if it has no positive.

    Args:
        scores: float (N,); higher is more likely positive.
        targets: int8 (N,) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([0.9, 0.8, 0.7, 0.6])
        >>> targets = np.array([1, 0, -1, 1], np.int8)
        >>> round(average_precision(scores, targets), 4)  # (1/1 + 2/3) / 2
        0.8333
    """
    check_rankings(scores, targets, ndim=1)
    return _average_precision(scores, targets, interpolated=False)


def class_average_precisions(scores: Scores, targets: Targets, interpolated: bool = False) -> NDArray[np.float64]:
    """Return the average precision of each class: of its column, which ranks the samples.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        interpolated: take as precision at a positive the highest at it or at any lower one, as PASCAL VOC does since
            2010.

    Returns:
        float64 (C,), in 0 .. 1; NaN for a class without positives.

    Raises:
        ValueError: scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8], [0.5, 0.9], [0.2, 0.1]])
        >>> targets = np.array([[1, 1], [0, 0], [0, -1]], np.int8)
        >>> class_average_precisions(scores, targets)
        array([1. , 0.5])
    """
    check_rankings(scores, targets)
    num_samples, num_classes = scores.shape
    precisions = np.empty(num_classes)
    for columns in blocks_of(num_classes, num_samples):
        # Transposing many columns at once reads the matrix row by row.
        ranked = zip(scores[:, columns].T.copy(), targets[:, columns].T.copy(), strict=True)
        precisions[columns] = [_average_precision(*column, interpolated) for column in ranked]
    return precisions


def sample_average_precisions(scores: Scores, targets: Targets, interpolated: bool = False) -> NDArray[np.float64]:
    """Return the average precision of each sample: of its row, which ranks the classes.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        interpolated: as in `class_average_precisions`.

    Returns:
        float64 (N,), in 0 .. 1; NaN for a sample without positives.

    Raises:
        ValueError: scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8, 0.1], [0.5, 0.9, 0.2], [0.2, 0.1, 0.3]])
        >>> targets = np.array([[1, 0, 0], [1, 0, -1], [0, 0, 0]], np.int8)
        >>> sample_average_precisions(scores, targets)
        array([1. , 0.5, nan])
    """
    check_rankings(scores, targets)
    num_samples, num_classes = scores.shape
    precisions = np.empty(num_samples)
    for rows in blocks_of(num_samples, num_classes):
        precisions[rows] = _row_average_precisions(scores[rows], targets[rows], interpolated)
    return precisions


def _average_precision(scores: Scores, targets: Targets, interpolated: bool) -> float:
    """Rank many entries once: sorting the values alone takes a fifth of the time of sorting their indices."""
    of_positives = np.sort(scores[positives(targets)])
    if not len(of_positives):
        return np.nan
    of_labeled = np.sort(scores[labeled(targets)])
    num_positives = len(of_positives) - np.searchsorted(of_positives, of_positives)
    num_labeled = len(of_labeled) - np.searchsorted(of_labeled, of_positives)
    precisions = num_positives / num_labeled
    if interpolated:
        precisions = np.maximum.accumulate(precisions)
    return float(precisions.mean())


def _row_average_precisions(scores: Scores, targets: Targets, interpolated: bool) -> NDArray[np.float64]:
    """Rank few entries many times: each positive's score is compared with its whole row."""
    rows, columns = np.nonzero(positives(targets))
    of_positives = scores[rows, columns]
    at_least = scores[rows] >= of_positives[:, np.newaxis]
    num_labeled = np.count_nonzero(at_least & labeled(targets)[rows], axis=1)
    num_positives = np.count_nonzero(at_least & positives(targets)[rows], axis=1)
    precisions = num_positives / num_labeled
    if interpolated:
        precisions = _highest_so_far(precisions[np.lexsort((of_positives, rows))], rows)
    sums = np.bincount(rows, precisions, minlength=len(scores))
    counts = np.bincount(rows, minlength=len(scores))
    means = np.full(len(scores), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _highest_so_far(values: NDArray[np.float64], groups: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the running maximum of each group; `groups` is sorted.

    It runs over integers, the levels of the values, so that no rounding mixes the groups.
    """
    levels, level_of = np.unique(values, return_inverse=True)
    offsets = groups * len(levels)
    running: NDArray[np.float64] = levels[np.maximum.accumulate(offsets + level_of) - offsets]
    return running


def _mean_of_counted(precisions: NDArray[np.float64]) -> float:
    counted = precisions[~np.isnan(precisions)]
    if not len(counted):
        raise ValueError("Expected at least one positive label, got none: the mean average precision is not defined.")
    return float(counted.mean())
