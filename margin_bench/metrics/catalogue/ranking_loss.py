"""Measure how many pairs of a positive and a negative class are in the wrong order."""

import numpy as np
from numpy.typing import NDArray

from margin_bench.metrics.rankings import Scores, Targets, mean_over_samples
from margin_bench.targets import negatives, positives


def ranking_loss(scores: Scores, targets: Targets) -> float:
    """Return the share of pairs whose negative scores at least as high as the positive, in the mean over samples.

    It lies in 0 .. 1; lower is better. A pair that ties is wrong, and a sample without negatives has a share of 0. As
    in `map_sample`, unlabeled entries are dropped one by one, and samples without a positive are left out. Without
    unlabeled entries, and with a positive in every sample, this is scikit-learn's `label_ranking_loss`.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no sample has a positive, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
        >>> targets = np.array([[1, 0, 0], [0, 1, 0]], np.int8)
        >>> ranking_loss(scores, targets)
        0.25
    """
    return mean_over_samples(_losses, scores, targets)


def _losses(scores: Scores, targets: Targets) -> NDArray[np.float64]:
    rows, columns = np.nonzero(positives(targets))
    at_least = scores[rows] >= scores[rows, columns][:, np.newaxis]
    num_wrong = np.bincount(rows, np.count_nonzero(at_least & negatives(targets)[rows], axis=1))
    num_pairs = np.bincount(rows) * np.count_nonzero(negatives(targets), axis=1)
    shares: NDArray[np.float64] = num_wrong / np.maximum(num_pairs, 1)
    return shares
