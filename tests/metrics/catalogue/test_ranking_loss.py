"""Ranking loss, by hand and held against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import label_ranking_loss

from margin_bench.metrics.catalogue.ranking_loss import ranking_loss
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import (
    LABELED,
    has_positive,
    mean_over_labeled_rows,
    random_ranking,
    rankings,
    with_positives,
)


def test_a_sample_by_hand():
    """Positives score 4 and 2, negatives 3 and 1: of the four pairs, 2 and 3 alone are in the wrong order."""
    targets = np.array([[POSITIVE, NEGATIVE, POSITIVE, NEGATIVE, UNLABELED]], np.int8)
    assert ranking_loss(np.array([[4.0, 3.0, 2.0, 1.0, 9.0]]), targets) == 0.25


def test_a_tie_is_a_wrong_order():
    assert ranking_loss(np.zeros((1, 2)), np.array([[POSITIVE, NEGATIVE]], np.int8)) == 1


def test_a_sample_without_negatives_has_nothing_wrong():
    """The mean of 1, of the first sample, and 0."""
    targets = np.array([[POSITIVE, NEGATIVE], [POSITIVE, POSITIVE]], np.int8)
    assert ranking_loss(np.array([[1.0, 2.0], [1.0, 2.0]]), targets) == 0.5


@given(rankings(LABELED, min_side=2).filter(has_positive))
def test_it_agrees_with_scikit_learn(ranking):
    scores, targets = with_positives(ranking)
    assert ranking_loss(scores, targets) == pytest.approx(label_ranking_loss(targets, scores), abs=1e-12)


def test_a_large_matrix_agrees_with_scikit_learn():
    scores, targets = with_positives(random_ranking(5000, 80, positive_share=0.04))
    assert ranking_loss(scores, targets) == pytest.approx(label_ranking_loss(targets, scores), abs=1e-12)


@given(rankings().filter(has_positive))
def test_unlabeled_entries_and_samples_without_positives_are_left_out(ranking):
    assert ranking_loss(*ranking) == pytest.approx(mean_over_labeled_rows(ranking_loss, *ranking), abs=1e-12)
