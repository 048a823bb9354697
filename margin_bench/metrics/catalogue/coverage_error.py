"""Count how far down the classes of a sample one has to go to find all its positives."""

import numpy as np
from numpy.typing import NDArray

from margin_bench.metrics.rankings import Scores, Targets, mean_over_samples
from margin_bench.targets import labeled, positives


def coverage_error(scores: Scores, targets: Targets) -> float:
    """Return how many classes score at least as high as the lowest positive of a sample, in the mean over samples.

    The best value is the mean number of positives, the worst C; lower is better. As in `map_sample`, unlabeled entries
    are dropped one by one, and samples without a positive are left out. Without unlabeled entries, and with a positive
    in every sample, this is scikit-learn's `coverage_error`.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no sample has a positive, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
        >>> targets = np.array([[1, 0, 1], [1, 0, 0]], np.int8)
        >>> coverage_error(scores, targets)
        2.0
    """
    return mean_over_samples(_coverage, scores, targets)


def _coverage(scores: Scores, targets: Targets) -> NDArray[np.intp]:
    lowest = np.min(scores, axis=1, where=positives(targets), initial=np.inf, keepdims=True)
    counts: NDArray[np.intp] = np.count_nonzero((scores >= lowest) & labeled(targets), axis=1)
    return counts
