"""The area under the ROC curve, by hand and held against scikit-learn class by class."""

import numpy as np
import pytest
from hypothesis import assume, given
from sklearn.metrics import roc_auc_score

from margin_bench.metrics.catalogue.auc_class import auc_class
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import random_ranking, rankings


def reference(scores, targets):
    """scikit-learn's areas of the classes that have a positive and a negative, without their unlabeled entries."""
    areas = []
    for column_scores, column_targets in zip(scores.T, targets.T, strict=True):
        if {POSITIVE, NEGATIVE} <= set(column_targets.tolist()):
            labeled = column_targets != UNLABELED
            areas.append(roc_auc_score(column_targets[labeled], column_scores[labeled]))
    return np.mean(areas) if areas else None


def test_a_class_by_hand():
    """The positives score 3 and 1, the negatives 2 and 1: right, right, wrong and a tie make 2.5 of 4 pairs."""
    targets = np.array([[POSITIVE], [NEGATIVE], [POSITIVE], [NEGATIVE], [UNLABELED]], np.int8)
    assert auc_class(np.array([[3.0], [2.0], [1.0], [1.0], [9.0]]), targets) == 0.625


@given(rankings())
def test_it_agrees_with_scikit_learn(ranking):
    expected = reference(*ranking)
    assume(expected is not None)
    assert auc_class(*ranking) == pytest.approx(expected, abs=1e-12)


def test_a_large_matrix_agrees_with_scikit_learn():
    scores, targets = random_ranking(5000, 80, positive_share=0.04)
    assert auc_class(scores, targets) == pytest.approx(roc_auc_score(targets, scores, average="macro"), abs=1e-12)


def test_without_a_class_that_has_both_there_is_no_area():
    with pytest.raises(ValueError, match="a class with a positive and a negative"):
        auc_class(np.zeros((2, 2)), np.array([[POSITIVE, NEGATIVE], [POSITIVE, UNLABELED]], np.int8))
