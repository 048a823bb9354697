"""Measure how often the class that scores highest is a wrong one."""

import numpy as np
from numpy.typing import NDArray

from margin_bench.metrics.rankings import Scores, Targets, mean_over_samples
from margin_bench.targets import labeled, negatives


def one_error(scores: Scores, targets: Targets) -> float:
    """Return the share of samples whose highest class is negative, in 0 .. 1.

    Lower is better. Where several classes tie for the highest score, the share of them that is negative counts. As
    in `map_sample`, unlabeled entries are dropped one by one, and samples without a positive are left out. Without
    unlabeled entries, and with a positive in every sample, this is 1 less scikit-learn's `ndcg_score` with k=1.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no sample has a positive, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
        >>> targets = np.array([[1, 0, 0], [0, 1, 1]], np.int8)
        >>> one_error(scores, targets)
        0.5
    """
    return mean_over_samples(_errors, scores, targets)


def _errors(scores: Scores, targets: Targets) -> NDArray[np.float64]:
    counted = labeled(targets)
    highest = np.max(scores, axis=1, where=counted, initial=-np.inf, keepdims=True)
    is_highest = (scores == highest) & counted
    num_wrong = np.count_nonzero(is_highest & negatives(targets), axis=1)
    shares: NDArray[np.float64] = num_wrong / np.count_nonzero(is_highest, axis=1)
    return shares
