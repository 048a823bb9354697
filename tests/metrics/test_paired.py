"""Differences of groups: by hand, and held against loops and SciPy."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from margin_bench.metrics.average_precision import (
    class_average_precisions,
    map_class,
    map_sample,
    sample_average_precisions,
)
from margin_bench.metrics.paired import compare, holm
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

NUM_SAMPLES, NUM_CLASSES, RESAMPLES, SEED = 40, 8, 60, 5


@pytest.fixture(scope="module")
def targets():
    labels = np.array([POSITIVE, UNLABELED, NEGATIVE], np.int8)
    targets = np.random.default_rng(0).choice(labels, (NUM_SAMPLES, NUM_CLASSES), p=[0.2, 0.1, 0.7])
    targets[:, -1] = NEGATIVE
    return targets


def run(seed, targets, quality):
    noise = np.random.default_rng(seed).standard_normal(targets.shape)
    return (noise + quality * (targets == POSITIVE)).astype(np.float32)


@pytest.fixture(scope="module")
def groups(targets):
    """Two runs, three better ones, and a single one."""
    qualities = ((1, 2), 0.5), ((3, 4, 5), 1.5), ((6,), 0.5)
    return [[run(seed, targets, quality) for seed in seeds] for seeds, quality in qualities]


@pytest.fixture(scope="module")
def comparisons(groups, targets):
    return compare(groups, targets, ["map_class", "map_sample"], RESAMPLES, SEED)


@pytest.mark.parametrize(("position", "metric"), [(0, map_class), (1, map_sample)])
def test_a_group_has_the_mean_and_the_spread_of_its_runs(comparisons, groups, targets, position, metric):
    comparison = comparisons[position]
    assert comparison.metric == metric.__name__
    values = [[metric(scores, targets) for scores in group] for group in groups]
    assert [group.mean for group in comparison.groups] == pytest.approx([np.mean(each) for each in values])
    assert [group.std for group in comparison.groups[:2]] == pytest.approx(
        [np.std(each, ddof=1) for each in values[:2]]
    )
    assert comparison.groups[2].std is None
    differences = [np.mean(each) - np.mean(values[0]) for each in values[1:]]
    assert [each.difference for each in comparison.differences] == pytest.approx(differences)


@pytest.mark.parametrize(("position", "metric"), [(0, map_class), (1, map_sample)])
def test_all_runs_are_scored_on_the_same_resamples(comparisons, groups, targets, position, metric):
    expected = []
    for number in range(RESAMPLES):
        drawn = np.random.default_rng((SEED, number)).integers(NUM_SAMPLES, size=NUM_SAMPLES)
        first, second, _ = ([metric(scores[drawn], targets[drawn]) for scores in group] for group in groups)
        expected.append(np.mean(second) - np.mean(first))
    difference = comparisons[position].differences[0]
    assert difference.interval == pytest.approx(np.percentile(expected, [2.5, 97.5]))
    assert difference.share_above_zero == np.mean(np.array(expected) > 0)


@pytest.mark.parametrize(
    ("position", "average_precisions"), [(0, class_average_precisions), (1, sample_average_precisions)]
)
def test_wins_losses_and_wilcoxon_are_over_classes_or_samples(
    comparisons, groups, targets, position, average_precisions
):
    first, second, _ = (np.mean([average_precisions(scores, targets) for scores in group], axis=0) for group in groups)
    expected = second - first
    difference = comparisons[position].differences[0]
    np.testing.assert_allclose(difference.by_unit, expected, rtol=0, atol=1e-11)
    assert (difference.better, difference.worse) == ((expected > 1e-9).sum(), (expected < -1e-9).sum())
    assert difference.better + difference.worse + difference.equal == (~np.isnan(expected)).sum() < len(expected)
    differing = np.round(expected, 12)[np.abs(expected) > 1e-9]
    assert difference.wilcoxon_p == pytest.approx(wilcoxon(differing).pvalue)


def test_p_values_are_corrected_for_the_number_of_groups(comparisons):
    for comparison in comparisons:
        p_values = [each.wilcoxon_p for each in comparison.differences]
        assert [each.holm_p for each in comparison.differences] == holm(p_values)
        assert sorted(p_values)[0] < 0.5
        assert min(each.holm_p for each in comparison.differences) == pytest.approx(2 * min(p_values))


def test_holm_by_hand():
    """Sorted .01, .02, .03, .04 times 4, 3, 2, 1 are .04, .06, .06, .04; the last must not be below the third."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.2]) == [0.2]


def test_a_run_does_not_differ_from_itself(groups, targets):
    (comparison,) = compare([groups[0], groups[0][::-1]], targets, ["map_class"], RESAMPLES, SEED)
    (difference,) = comparison.differences
    assert difference.difference == 0
    assert difference.interval == (0.0, 0.0)
    assert difference.share_above_zero == 0
    assert (difference.better, difference.worse, difference.equal) == (0, 0, NUM_CLASSES - 1)
    assert difference.wilcoxon_p == difference.holm_p == 1


def test_resamples_without_a_positive_do_not_count():
    """Of two samples one has a positive; a quarter of the resamples draw the other one twice."""
    targets = np.array([[POSITIVE, NEGATIVE], [NEGATIVE, NEGATIVE]], np.int8)
    right, wrong = (np.array([[score, 0.5], [0.5, 0.5]]) for score in (1.0, 0.0))
    (comparison,) = compare([[wrong], [right]], targets, ["map_class"], 100, SEED)
    (difference,) = comparison.differences
    assert difference.difference == 0.5
    assert 0 <= difference.interval[0] <= difference.interval[1] == 0.5
