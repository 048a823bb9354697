"""The Brier score."""

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import BrierLoss
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, sigmoid
from tests.helpers.loops import random_bucket


def reference(logits, targets, way=None):
    def cost(x, is_positive, *_):
        p, y = sigmoid(x), float(is_positive)
        return (p - y) ** 2

    return mean_over_entries(cost, logits, targets)


def test_it_agrees_with_loops():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert BrierLoss()(logits, targets).item() == pytest.approx(reference(logits, targets), rel=1e-12)


def test_it_is_pytorchs_of_the_probabilities():
    def theirs(logits, targets):
        return F.mse_loss(logits.sigmoid(), targets)

    logits, targets = labeled_bucket()
    assert_same(BrierLoss(), theirs, logits, targets, targets.double(), rtol=1e-9)
