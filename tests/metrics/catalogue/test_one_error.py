"""One-error, by hand and held against scikit-learn's gain at the first rank, which shares out ties as well."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import ndcg_score

from margin_bench.metrics.catalogue.one_error import one_error
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import (
    LABELED,
    has_positive,
    mean_over_labeled_rows,
    random_ranking,
    rankings,
    with_positives,
)


def test_samples_by_hand():
    """The highest class is positive in the first sample and negative in the second; in the third it is unlabeled."""
    targets = np.array([[POSITIVE, NEGATIVE], [NEGATIVE, POSITIVE], [UNLABELED, POSITIVE]], np.int8)
    assert one_error(np.array([[2.0, 1.0]] * 3), targets) == pytest.approx(1 / 3)


def test_classes_that_tie_share_the_error():
    assert one_error(np.zeros((1, 4)), np.array([[POSITIVE, NEGATIVE, NEGATIVE, NEGATIVE]], np.int8)) == 0.75


@given(rankings(LABELED, min_side=2).filter(has_positive))
def test_it_agrees_with_scikit_learn(ranking):
    scores, targets = with_positives(ranking)
    assert one_error(scores, targets) == pytest.approx(1 - ndcg_score(targets, scores, k=1), abs=1e-12)


def test_a_large_matrix_agrees_with_scikit_learn():
    scores, targets = with_positives(random_ranking(5000, 80, positive_share=0.04))
    assert one_error(scores, targets) == pytest.approx(1 - ndcg_score(targets, scores, k=1), abs=1e-12)


@given(rankings().filter(has_positive))
def test_unlabeled_entries_and_samples_without_positives_are_left_out(ranking):
    assert one_error(*ranking) == pytest.approx(mean_over_labeled_rows(one_error, *ranking), abs=1e-12)
