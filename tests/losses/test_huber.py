"""The Huber loss of each probability."""

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import BrierLoss, HuberLoss
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, sigmoid
from tests.helpers.loops import random_bucket


def reference(logits, targets, way=None, *, delta):
    def cost(x, is_positive, *_):
        error = abs(sigmoid(x) - float(is_positive))
        return error**2 / 2 if error <= delta else delta * (error - delta / 2)

    return mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("delta", [0.2, 0.5, 1])
def test_it_agrees_with_loops(delta):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = reference(logits, targets, delta=delta)
    assert HuberLoss(delta=delta)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_it_is_pytorchs_of_the_probabilities():
    def theirs(logits, targets):
        return F.huber_loss(logits.sigmoid(), targets, delta=0.5)

    logits, targets = labeled_bucket()
    assert_same(HuberLoss(delta=0.5), theirs, logits, targets, targets.double(), rtol=1e-9)


def test_a_delta_of_one_makes_it_half_the_brier_score():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert HuberLoss(delta=1)(logits, targets).item() == pytest.approx(BrierLoss()(logits, targets).item() / 2)


def test_a_delta_is_above_zero():
    with pytest.raises(ValueError, match="delta: expected a number above 0"):
        HuberLoss(delta=0)
