"""Coverage error, by hand and held against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given

from margin_bench.metrics.catalogue.coverage_error import coverage_error
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
    """The lowest positive scores 2; 4, 3 and 2 score at least as high, and the other 3 is unlabeled: 3 classes."""
    scores = np.array([[4.0, 3.0, 3.0, 2.0, 1.0]])
    assert coverage_error(scores, np.array([[POSITIVE, NEGATIVE, UNLABELED, POSITIVE, NEGATIVE]], np.int8)) == 3


def test_ties_with_the_lowest_positive_count():
    assert coverage_error(np.zeros((1, 4)), np.array([[POSITIVE, NEGATIVE, NEGATIVE, NEGATIVE]], np.int8)) == 4


@given(rankings(LABELED, min_side=2).filter(has_positive))
def test_it_agrees_with_scikit_learn(ranking):
    scores, targets = with_positives(ranking)
    assert coverage_error(scores, targets) == pytest.approx(sklearn.metrics.coverage_error(targets, scores), abs=1e-12)


def test_a_large_matrix_agrees_with_scikit_learn():
    scores, targets = with_positives(random_ranking(5000, 80, positive_share=0.04))
    assert coverage_error(scores, targets) == pytest.approx(sklearn.metrics.coverage_error(targets, scores), abs=1e-9)


@given(rankings().filter(has_positive))
def test_unlabeled_entries_and_samples_without_positives_are_left_out(ranking):
    assert coverage_error(*ranking) == pytest.approx(mean_over_labeled_rows(coverage_error, *ranking), abs=1e-12)
