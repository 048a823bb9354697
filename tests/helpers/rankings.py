"""Scores and targets for the tests of metrics: drawn by hypothesis with every trap, or large and random."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

LABELED = (POSITIVE, NEGATIVE)
Ranking = tuple[NDArray[np.float32], NDArray[np.int8]]


@st.composite
def rankings(draw: st.DrawFn, labels: tuple[int, ...] = (POSITIVE, NEGATIVE, UNLABELED), min_side: int = 1) -> Ranking:
    """Draw scores and targets (N, C) with many ties, and with empty rows and columns."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, min_side=min_side, max_side=12))
    scores = draw(arrays(np.int8, shape, elements=st.integers(-3, 3))).astype(np.float32)
    targets: NDArray[np.int8] = draw(arrays(np.int8, shape, elements=st.sampled_from(labels)))
    return scores, targets


def has_positive(ranking: Ranking) -> bool:
    """Say whether any entry is positive."""
    return bool((ranking[1] == POSITIVE).any())


def random_ranking(num_samples: int, num_classes: int, positive_share: float, unlabeled_share: float = 0.0) -> Ranking:
    """Make random scores, rounded so that some tie, and targets that do not depend on them."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((num_samples, num_classes)).round(2).astype(np.float32)
    labels = np.array([POSITIVE, UNLABELED, NEGATIVE], np.int8)
    shares = [positive_share, unlabeled_share, 1 - positive_share - unlabeled_share]
    return scores, random.choice(labels, scores.shape, p=shares)


def with_positives(ranking: Ranking) -> Ranking:
    """Keep the samples that have a positive."""
    scores, targets = ranking
    rows = (targets == POSITIVE).any(axis=1)
    return scores[rows], targets[rows]


def mean_over_labeled_rows(metric: Callable[..., float], scores: NDArray[Any], targets: NDArray[np.int8]) -> float:
    """Average a metric over the samples with a positive, each by itself and without its unlabeled entries."""
    values = []
    for row_scores, row_targets in zip(scores, targets, strict=True):
        labeled = row_targets != UNLABELED
        if (row_targets == POSITIVE).any():
            values.append(metric(row_scores[np.newaxis, labeled], row_targets[np.newaxis, labeled]))
    return sum(values) / len(values)
