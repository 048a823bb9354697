"""The Poly-1 loss."""

import pytest
import torch
from timm.loss import PolyBinaryCrossEntropy

from margin_bench.losses import BCELoss, PolyLoss
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, right, sigmoid, softplus
from tests.helpers.loops import random_bucket


def reference(logits, targets, way=None, *, epsilon):
    def cost(x, is_positive, *_):
        return softplus(-right(x, is_positive)) + epsilon * sigmoid(-right(x, is_positive))

    return mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("epsilon", [-1, 2])
def test_it_agrees_with_loops(epsilon):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = reference(logits, targets, epsilon=epsilon)
    assert PolyLoss(epsilon=epsilon)(logits, targets).item() == pytest.approx(expected, rel=1e-9)


def test_it_is_timms():
    """timm computes in float32."""
    logits, targets = labeled_bucket()
    logits, ours, theirs = logits.float(), PolyLoss(epsilon=2), PolyBinaryCrossEntropy(epsilon=2)
    assert_same(ours, theirs, logits, targets, targets.float(), rtol=1e-5, atol=1e-7)


def test_an_epsilon_of_zero_makes_it_the_binary_cross_entropy():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert_same(PolyLoss(epsilon=0), BCELoss(), logits, targets, targets, rtol=1e-9)


def test_an_epsilon_is_finite():
    with pytest.raises(ValueError, match="epsilon: expected a finite number"):
        PolyLoss(epsilon=float("inf"))
