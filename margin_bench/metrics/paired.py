"""Compare groups of runs that were scored on the same samples, by paired differences. Imports no torch."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from margin_bench.errors import ConfigError
from margin_bench.metrics.average_precision import class_average_precisions, sample_average_precisions
from margin_bench.metrics.bootstrap import bootstrap, map_class_of_draws, map_sample_of_draws
from margin_bench.metrics.rankings import Scores, Targets

METRICS = {
    "map_class": (class_average_precisions, map_class_of_draws),
    "map_sample": (sample_average_precisions, map_sample_of_draws),
}
PERCENTILES = (2.5, 97.5)  # the ends of an interval


@dataclass(frozen=True)
class ScoredRun:
    """Hold a metric of a group of runs, in 0 .. 1.

    Attributes:
        mean: over its runs.
        std: over its runs; None for a single one.

    Examples:
        >>> ScoredRun(mean=0.75, std=None)
        ScoredRun(mean=0.75, std=None)
    """

    mean: float
    std: float | None


@dataclass(frozen=True)
class Difference:
    """Hold the difference of a group from the first group by one metric.

    Attributes:
        difference: the metric of the group less that of the first, in -1 .. 1.
        interval: the PERCENTILES of the difference over the resamples.
        share_above_zero: the share of resamples with a difference above 0.
        better: the number of classes (of samples, for `map_sample`) with a higher average precision than in the first.
        worse: with a lower one.
        equal: with the same.
        by_unit: the differences of their average precisions, float64 (C,) or (N,); NaN for one without positives.
        wilcoxon_p: the two-sided p-value of the signed-rank test over these differences.
        holm_p: the same, corrected for the number of groups that are compared with the first.

    Examples:
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)
        >>> always_first, right = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> (comparison,) = compare([[always_first], [right]], targets, ["map_sample"], resamples=100, seed=0)
        >>> (difference,) = comparison.differences
        >>> difference.difference, difference.better, difference.worse, difference.equal
        (0.25, 1, 0, 1)
        >>> difference.by_unit.tolist()
        [0.0, 0.5]
    """

    difference: float
    interval: tuple[float, float]
    share_above_zero: float
    better: int
    worse: int
    equal: int
    by_unit: NDArray[np.float64]
    wilcoxon_p: float
    holm_p: float


@dataclass(frozen=True)
class Comparison:
    """Hold a comparison of groups by one metric.

    Attributes:
        metric: of METRICS.
        groups: the metric of each group.
        differences: from the first group, of the second and all after it.

    Examples:
        >>> Comparison("map_class", [ScoredRun(mean=0.75, std=None)], differences=[])
        Comparison(metric='map_class', groups=[ScoredRun(mean=0.75, std=None)], differences=[])
    """

    metric: str
    groups: list[ScoredRun]
    differences: list[Difference]


def compare(
    groups: Sequence[Sequence[Scores]], targets: Targets, metrics: Sequence[str], resamples: int, seed: int
) -> list[Comparison]:
    """Compare groups with the first of them, by each metric.

    Args:
        groups: the scores, float (N, C) and finite, of each run of each group. A group has the mean of its runs.
        targets: int8 (N, C) with a positive.
        metrics: of METRICS.
        resamples: how many; each is drawn once for all runs.
        seed: of the resamples.

    Raises:
        ConfigError: no resample has a positive, as may happen where both are few.
        ValueError: scores are not finite, or shapes differ.

    Examples:
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)
        >>> always_first, right = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> (comparison,) = compare([[always_first], [right]], targets, ["map_sample"], resamples=100, seed=0)
        >>> [group.mean for group in comparison.groups], comparison.differences[0].interval
        ([0.75, 1.0], (0.0, 0.5))
    """
    runs = [scores for group in groups for scores in group]
    of_draws = [METRICS[metric][1](scores, targets) for metric in metrics for scores in runs]
    resampled = bootstrap(of_draws, len(targets), resamples, seed).reshape(resamples, len(metrics), len(runs))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    comparisons = []
    for number, metric in enumerate(metrics):
        by_group = [part.mean(axis=1) for part in np.split(resampled[:, number], ends, axis=1)]
        comparisons.append(_comparison(metric, groups, targets, by_group))
    return comparisons


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's method, so that they hold for all tests together (Holm 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on. None becomes less than a smaller one, or more
    than 1.

    Examples:
        >>> [round(p, 3) for p in holm([0.03, 0.01, 0.04])]
        [0.06, 0.03, 0.06]
    """
    corrected = np.empty(len(p_values))
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected[order] = np.maximum.accumulate(np.minimum(np.array(p_values)[order] * factors, 1))
    return [float(p) for p in corrected]


def _comparison(
    metric: str, groups: Sequence[Sequence[Scores]], targets: Targets, resampled: Sequence[NDArray[np.float64]]
) -> Comparison:
    average_precisions = METRICS[metric][0]
    by_run = [np.stack([average_precisions(scores, targets) for scores in group]) for group in groups]
    measured = [_measured(np.nanmean(precisions, axis=1).tolist()) for precisions in by_run]
    by_unit = [precisions.mean(axis=0) for precisions in by_run]
    # Rounded, so that what is equal does not differ by the rounding of a mean.
    by_unit_less_first = [np.round(precisions - by_unit[0], 12) for precisions in by_unit[1:]]
    p_values = [_wilcoxon(differences) for differences in by_unit_less_first]
    differences = [
        _difference(group.mean - measured[0].mean, draws - resampled[0], units, p_value, holm_p)
        for group, draws, units, p_value, holm_p in zip(
            measured[1:], resampled[1:], by_unit_less_first, p_values, holm(p_values), strict=True
        )
    ]
    return Comparison(metric, measured, differences)


def _measured(values: list[float]) -> ScoredRun:
    return ScoredRun(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def _difference(
    difference: float, resampled: NDArray[np.float64], by_unit: NDArray[np.float64], p_value: float, holm_p: float
) -> Difference:
    resampled = resampled[~np.isnan(resampled)]  # a resample of few samples may have no positive
    if not len(resampled):
        raise ConfigError(
            "no resample of the test samples has a positive label, so there is no interval\nRaise resamples."
        )
    low, high = np.percentile(resampled, PERCENTILES)
    return Difference(
        difference=difference,
        interval=(float(low), float(high)),
        share_above_zero=float((resampled > 0).mean()),
        better=int((by_unit > 0).sum()),
        worse=int((by_unit < 0).sum()),
        equal=int((by_unit == 0).sum()),
        by_unit=by_unit,
        wilcoxon_p=p_value,
        holm_p=holm_p,
    )


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; differences of zero and NaN are left out."""
    from scipy.stats import wilcoxon  # takes half a second to import

    differing = differences[~np.isnan(differences) & (differences != 0)]
    return float(wilcoxon(differing).pvalue) if len(differing) else 1.0
