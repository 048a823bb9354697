"""Average precisions, held against scikit-learn entry by entry."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score

from margin_bench.metrics import rankings as rankings_module
from margin_bench.metrics.average_precision import (
    average_precision,
    class_average_precisions,
    map_class,
    map_sample,
    sample_average_precisions,
)
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import random_ranking, rankings


def reference(scores, targets):
    """scikit-learn's average precision of one ranking without its unlabeled entries; NaN without positives."""
    labeled = targets != UNLABELED
    if not (targets == POSITIVE).any():
        return np.nan
    return average_precision_score(targets[labeled] == POSITIVE, scores[labeled])


@given(rankings())
def test_each_class_agrees_with_scikit_learn(ranking):
    scores, targets = ranking
    expected = [reference(*column) for column in zip(scores.T, targets.T, strict=True)]
    np.testing.assert_allclose(class_average_precisions(scores, targets), expected, rtol=0, atol=1e-9)


@given(rankings())
def test_each_sample_agrees_with_scikit_learn(ranking):
    scores, targets = ranking
    expected = [reference(*row) for row in zip(scores, targets, strict=True)]
    np.testing.assert_allclose(sample_average_precisions(scores, targets), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("unlabeled_share", [0.0, 0.97])
def test_large_matrices_agree_with_scikit_learn(unlabeled_share, monkeypatch):
    """Wider than a block and longer than one, in both directions."""
    monkeypatch.setattr(rankings_module, "_BLOCK_ENTRIES", 1 << 12)
    scores, targets = random_ranking(1000, 60, positive_share=0.02, unlabeled_share=unlabeled_share)
    classes = [reference(*column) for column in zip(scores.T, targets.T, strict=True)]
    samples = [reference(*row) for row in zip(scores, targets, strict=True)]
    np.testing.assert_allclose(class_average_precisions(scores, targets), classes, rtol=0, atol=1e-9)
    np.testing.assert_allclose(sample_average_precisions(scores, targets), samples, rtol=0, atol=1e-9)
    assert map_class(scores, targets) == pytest.approx(np.nanmean(classes), abs=1e-9)
    assert map_sample(scores, targets) == pytest.approx(np.nanmean(samples), abs=1e-9)


def test_a_ranking_by_hand():
    """Positives at ranks 1 and 3 of 4: (1/1 + 2/3) / 2 = 5/6."""
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    targets = np.array([POSITIVE, NEGATIVE, POSITIVE, NEGATIVE], np.int8)
    assert average_precision(scores, targets) == pytest.approx(5 / 6)


def test_all_scores_tied_give_the_share_of_positives():
    targets = np.array([POSITIVE] + [NEGATIVE] * 9, np.int8)
    assert average_precision(np.zeros(10), targets) == pytest.approx(0.1)


def test_unlabeled_entries_change_nothing():
    targets = np.array([POSITIVE, NEGATIVE, UNLABELED, POSITIVE], np.int8)
    low, high = (average_precision(np.array([3.0, 2.0, score, 1.0]), targets) for score in (-9.0, 9.0))
    assert low == high == average_precision(np.array([3.0, 2.0, 1.0]), targets[[0, 1, 3]])


def test_classes_and_samples_without_positives_are_left_out():
    """Class 0 is ranked right (1), class 1 wrong (1/2), class 2 has no positive; sample 2 has none either."""
    scores = np.array([[2.0, 2.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    targets = np.full((3, 3), NEGATIVE, np.int8)
    targets[0, 0] = targets[1, 1] = POSITIVE
    targets[2, 2] = UNLABELED
    np.testing.assert_array_equal(class_average_precisions(scores, targets), [1, 0.5, np.nan])
    assert map_class(scores, targets) == 0.75
    np.testing.assert_array_equal(np.isnan(sample_average_precisions(scores, targets)), [False, False, True])
    assert map_sample(scores, targets) == pytest.approx(0.5)


def test_samples_and_classes_are_each_other_transposed():
    scores, targets = random_ranking(40, 30, positive_share=0.2)
    np.testing.assert_allclose(
        class_average_precisions(scores, targets), sample_average_precisions(scores.T, targets.T), rtol=0, atol=1e-12
    )


def test_without_any_positive_there_is_no_mean():
    scores, targets = np.zeros((2, 3)), np.full((2, 3), NEGATIVE, np.int8)
    assert np.isnan(average_precision(scores[0], targets[0]))
    for mean in (map_class, map_sample):
        with pytest.raises(ValueError, match="at least one positive"):
            mean(scores, targets)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", [map_class, map_sample])
def test_scores_that_are_not_finite_are_refused(metric, score):
    with pytest.raises(ValueError, match="finite scores, got 1 NaN"):
        metric(np.array([[0.0, score]]), np.array([[POSITIVE, NEGATIVE]], np.int8))


@pytest.mark.parametrize(
    ("scores", "targets"), [((2, 3), (3, 2)), ((2, 3), (2, 2)), ((3,), (3,)), ((1, 2, 3), (1, 2, 3))]
)
@pytest.mark.parametrize("metric", [map_class, map_sample])
def test_other_shapes_are_refused(metric, scores, targets):
    with pytest.raises(ValueError, match="one shape with 2 dimensions"):
        metric(np.zeros(scores), np.zeros(targets, np.int8))


def test_a_matrix_is_refused_where_one_ranking_is_meant():
    with pytest.raises(ValueError, match="one shape with 1 dimension,"):
        average_precision(np.zeros((2, 3)), np.zeros((2, 3), np.int8))
