"""What every metric of the catalogue keeps, found by its file as the command finds it."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_bench.config.schema import metric_names
from margin_bench.metrics.named import named_metrics
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import rankings

METRICS = named_metrics("all")
each_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def is_defined(ranking):
    """Whether a class has a positive and a negative, so that all metrics are defined."""
    targets = ranking[1]
    return ((targets == POSITIVE).any(axis=0) & (targets == NEGATIVE).any(axis=0)).any()


defined = rankings().filter(is_defined)


def test_a_metric_has_the_name_of_its_file_and_says_what_it_is():
    assert list(METRICS) == metric_names()
    for name, metric in METRICS.items():
        assert metric.__name__ == name
        assert inspect.getmodule(metric).__name__ == f"margin_bench.metrics.catalogue.{name}"
        assert "unlabeled" in metric.__doc__


@each_metric
@given(ranking=defined)
def test_a_metric_is_a_finite_number(metric, ranking):
    value = metric(*ranking)
    assert isinstance(value, float)
    assert np.isfinite(value)


@each_metric
@given(ranking=defined, other=st.integers(-9, 9))
def test_scores_of_unlabeled_entries_change_nothing(metric, ranking, other):
    scores, targets = ranking
    changed = np.where(targets == UNLABELED, np.float32(other), scores)
    assert metric(changed, targets) == metric(scores, targets)


@each_metric
@given(ranking=defined, data=st.data())
def test_the_order_of_samples_and_classes_changes_nothing(metric, ranking, data):
    scores, targets = ranking
    rows, columns = (data.draw(st.permutations(range(size))) for size in scores.shape)
    shuffled = metric(scores[rows][:, columns], targets[rows][:, columns])
    assert shuffled == pytest.approx(metric(scores, targets), abs=1e-12)


@each_metric
def test_what_is_no_ranking_is_refused(metric):
    targets = np.array([[POSITIVE, NEGATIVE], [NEGATIVE, POSITIVE]], np.int8)
    with pytest.raises(ValueError, match="finite scores"):
        metric(np.array([[0.0, np.nan], [1.0, 2.0]]), targets)
    with pytest.raises(ValueError, match="one shape"):
        metric(np.zeros((2, 3)), targets)
    with pytest.raises(ValueError, match="Expected"):
        metric(np.zeros((2, 2)), np.full((2, 2), NEGATIVE, np.int8))
