"""The logistic loss of signs."""

import math

import pytest
import torch

from margin_bench.losses import BCELoss, SoftMarginLoss
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries
from tests.helpers.loops import random_bucket


def reference(logits, targets, way=None):
    def cost(x, is_positive, *_):
        return math.log1p(math.exp(-x if is_positive else x))

    return mean_over_entries(cost, logits, targets)


def test_it_agrees_with_loops():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert SoftMarginLoss()(logits, targets).item() == pytest.approx(reference(logits, targets), rel=1e-12)


def test_it_equals_the_binary_cross_entropy():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert_same(SoftMarginLoss(), BCELoss(), logits, targets, targets)


def test_it_is_pytorchs():
    logits, targets = labeled_bucket()
    assert_same(SoftMarginLoss(), torch.nn.SoftMarginLoss(), logits, targets, 2 * targets.double() - 1)
