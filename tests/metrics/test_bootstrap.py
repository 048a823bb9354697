"""Resamples, held against a bootstrap in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from margin_bench.metrics import bootstrap as bootstrap_module
from margin_bench.metrics.average_precision import (
    class_average_precisions,
    map_class,
    map_sample,
    sample_average_precisions,
)
from margin_bench.metrics.bootstrap import bootstrap, draws, map_class_of_draws, map_sample_of_draws
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

SEED = 3


@st.composite
def drawn_rankings(draw):
    """Scores and targets (N, C) with ties, empty classes and unlabeled entries, and which samples are drawn."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=9))
    scores = draw(arrays(np.int8, shape, elements=st.integers(-3, 3))).astype(np.float32)
    targets = draw(arrays(np.int8, shape, elements=st.sampled_from([POSITIVE, NEGATIVE, UNLABELED])))
    return scores, targets, draw(arrays(np.int64, shape[0], elements=st.integers(0, shape[0] - 1)))


def random_ranking(num_samples, num_classes):
    random = np.random.default_rng(0)
    scores = random.integers(0, 40, (num_samples, num_classes)).astype(np.float32)
    labels = np.array([POSITIVE, UNLABELED, NEGATIVE], np.int8)
    return scores, random.choice(labels, scores.shape, p=[0.1, 0.2, 0.7])


@given(drawn_rankings())
def test_a_resample_has_the_metrics_of_its_rows(ranking):
    """NaN where a resample has no positive."""
    scores, targets, drawn = ranking
    counts = np.bincount(drawn, minlength=len(scores)).astype(np.uint8)[:, np.newaxis]
    for of_draws, average_precisions in (
        (map_class_of_draws, class_average_precisions),
        (map_sample_of_draws, sample_average_precisions),
    ):
        precisions = average_precisions(scores[drawn], targets[drawn])
        counted = precisions[~np.isnan(precisions)]
        expected = counted.mean() if len(counted) else np.nan
        np.testing.assert_allclose(of_draws(scores, targets)(counts), [expected], rtol=0, atol=1e-12)


def plain_average_precision(entries):
    """Of pairs of score and label, in plain Python; None without a positive."""
    labeled = [(score, label) for score, label in entries if label != UNLABELED]
    positives = [score for score, label in labeled if label == POSITIVE]
    precisions = [
        sum(score >= own for score in positives) / sum(score >= own for score, _ in labeled) for own in positives
    ]
    return sum(precisions) / len(precisions) if precisions else None


def plain_mean(rankings):
    counted = [value for value in map(plain_average_precision, rankings) if value is not None]
    return sum(counted) / len(counted)


def test_the_interval_is_that_of_a_bootstrap_in_plain_python():
    """Differences of two runs, of both metrics, on 200 resamples of 60 samples."""
    scores, targets = random_ranking(60, 4)
    others = np.random.default_rng(1).permutation(scores)
    expected = []
    for number in range(200):
        drawn = np.random.default_rng((SEED, number)).integers(60, size=60).tolist()
        by_run = []
        for run in (scores.tolist(), others.tolist()):
            samples = [list(zip(run[index], targets[index].tolist(), strict=True)) for index in drawn]
            by_run.append((plain_mean(zip(*samples, strict=True)), plain_mean(samples)))
        expected.append([by_run[0][0] - by_run[1][0], by_run[0][1] - by_run[1][1]])
    statistics = [of(run, targets) for of in (map_class_of_draws, map_sample_of_draws) for run in (scores, others)]
    found = bootstrap(statistics, 60, 200, SEED)
    differences = found[:, [0, 2]] - found[:, [1, 3]]
    np.testing.assert_allclose(differences, expected, rtol=0, atol=1e-12)
    ends = [np.percentile(each, [2.5, 97.5], axis=0) for each in (differences, expected)]
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("cores", "block"), [(1, 64), (3, 7)])
def test_neither_cores_nor_blocks_change_a_resample(cores, block, monkeypatch):
    statistics = [map_class_of_draws(*random_ranking(50, 3))]
    expected = bootstrap(statistics, 50, 100, SEED)
    monkeypatch.setattr(bootstrap_module, "usable_cores", lambda: cores)
    monkeypatch.setattr(bootstrap_module, "_BLOCK", block)
    np.testing.assert_array_equal(bootstrap(statistics, 50, 100, SEED), expected)
    assert not np.array_equal(bootstrap(statistics, 50, 100, SEED + 1), expected)


@pytest.mark.parametrize(("num_samples", "dtype"), [(255, np.uint8), (256, np.uint16), (65536, np.uint32)])
def test_no_sum_of_draws_overflows(num_samples, dtype):
    """Drawing every sample once is the metric itself; so is drawing the same single sample all the time."""
    drawn = draws(num_samples, range(2), SEED)
    assert drawn.dtype == dtype
    assert drawn.sum(axis=0).tolist() == [num_samples] * 2
    scores, targets = random_ranking(num_samples, 2)
    one_all_the_time = np.zeros(num_samples, dtype)
    positive = np.flatnonzero((targets == POSITIVE).all(axis=1))[0]
    one_all_the_time[positive] = num_samples
    counts = np.stack([np.ones(num_samples, dtype), one_all_the_time], axis=1)
    for of_draws, metric in ((map_class_of_draws, map_class), (map_sample_of_draws, map_sample)):
        found = of_draws(scores, targets)(counts)
        np.testing.assert_allclose(found, [metric(scores, targets), 1], rtol=0, atol=1e-12)
