"""Measure the area under the ROC curve of each class."""

import numpy as np

from margin_bench.metrics.rankings import Scores, Targets, check_rankings
from margin_bench.targets import negatives, positives


def auc_class(scores: Scores, targets: Targets) -> float:
    """Return the share of pairs of a class whose positive scores higher than the negative, in the mean over classes.

    It lies in 0 .. 1; higher is better. A pair that ties counts as half. As in `map_class`, unlabeled entries are
    dropped one by one; classes without a positive are left out, and so are those without a negative. Without unlabeled
    entries, and with both in every class, this is the macro average of scikit-learn's `roc_auc_score`.

    Args:
        scores: float (N, C); higher is more likely positive.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ValueError: no class has a positive and a negative, scores are not finite, or shapes differ.

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.8], [0.8, 0.9], [0.7, 0.7]])
        >>> targets = np.array([[1, 1], [0, 0], [0, 0]], np.int8)
        >>> auc_class(scores, targets)
        0.75
    """
    check_rankings(scores, targets)
    areas = np.array([_area(*column) for column in zip(scores.T, targets.T, strict=True)])
    counted = areas[~np.isnan(areas)]
    if not len(counted):
        raise ValueError("Expected a class with a positive and a negative, got none: the area is not defined.")
    return float(counted.mean())


def _area(scores: Scores, targets: Targets) -> float:
    """Return the area of one class; NaN if it has no pair."""
    of_positives, of_negatives = np.sort(scores[positives(targets)]), np.sort(scores[negatives(targets)])
    if not len(of_positives) or not len(of_negatives):
        return np.nan
    below, up_to = (np.searchsorted(of_negatives, of_positives, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(of_negatives)))
