"""What all metrics of rankings refuse, and the mean over samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_bench.metrics import map_class, map_sample, rankings
from margin_bench.metrics.rankings import blocks_of, check_rankings, mean_over_samples
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED


def number_of_positives(scores, targets):
    return np.count_nonzero(targets == POSITIVE, axis=1)


@given(num_rankings=st.integers(0, 40), length=st.integers(0, 20), entries=st.integers(1, 60))
def test_each_ranking_is_in_one_block_of_at_most_so_many_entries(num_rankings, length, entries):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rankings, "_BLOCK_ENTRIES", entries)
        parts = [list(range(num_rankings))[part] for part in blocks_of(num_rankings, length)]
    assert [number for part in parts for number in part] == list(range(num_rankings))
    assert all(len(part) == 1 or len(part) * length <= entries for part in parts)


def test_samples_without_a_positive_are_left_out_of_the_mean():
    """One sample with three positives, one with one; the third has none: (3 + 1) / 2 = 2."""
    targets = np.array([[POSITIVE] * 3, [POSITIVE, NEGATIVE, UNLABELED], [NEGATIVE, UNLABELED, NEGATIVE]], np.int8)
    assert mean_over_samples(number_of_positives, np.zeros(targets.shape), targets) == 2


def test_blocks_do_not_change_the_mean(monkeypatch):
    random = np.random.default_rng(0)
    targets = random.choice(np.array([POSITIVE, NEGATIVE], np.int8), (50, 7), p=[0.1, 0.9])
    expected = mean_over_samples(number_of_positives, np.zeros(targets.shape), targets)
    monkeypatch.setattr(rankings, "_BLOCK_ENTRIES", 20)
    assert mean_over_samples(number_of_positives, np.zeros(targets.shape), targets) == expected


def test_without_any_positive_there_is_no_mean():
    with pytest.raises(ValueError, match="at least one positive label"):
        mean_over_samples(number_of_positives, np.zeros((2, 3)), np.full((2, 3), NEGATIVE, np.int8))


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(score):
    with pytest.raises(ValueError, match="finite scores, got 1 NaN"):
        check_rankings(np.array([[0.0, score]]), np.array([[POSITIVE, NEGATIVE]], np.int8))


@pytest.mark.parametrize(
    ("scores", "targets", "ndim", "said"),
    [
        ((2, 3), (3, 2), 2, r"2 dimensions, got \(2, 3\) and \(3, 2\)"),
        ((3,), (3,), 2, "2 dimensions"),
        ((2, 3), (2, 3), 1, "1 dimension,"),
    ],
)
def test_other_shapes_are_refused(scores, targets, ndim, said):
    with pytest.raises(ValueError, match=said):
        check_rankings(np.zeros(scores), np.zeros(targets, np.int8), ndim)


@pytest.mark.parametrize("wrong", [2, -2, 0.5, np.nan, 255])
@pytest.mark.parametrize("metric", [map_class, map_sample])
def test_targets_that_are_no_labels_are_refused(metric, wrong):
    targets = np.array([[1, 0], [0, wrong]])
    with pytest.raises(ValueError, match=r"Expected targets of 1 \(positive\)"):
        metric(np.zeros((2, 2)), targets)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32])
def test_labels_may_be_of_any_type_of_numbers(dtype):
    targets = np.array([[1, 0], [-1, 1]], dtype)
    assert map_class(np.array([[1.0, 0.0], [0.0, 1.0]]), targets) == 1.0
