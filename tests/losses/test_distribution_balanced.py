"""The distribution-balanced loss."""

import math

import pytest
import torch
from timm.loss import DistributionBalancedLoss as TimmLoss

from margin_bench.losses import DistributionBalancedLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, sigmoid, softplus
from tests.helpers.loops import loss_and_gradient, random_bucket

FREQUENCIES = torch.tensor([[1, 2, 3, 10, 50, 80], [99, 98, 97, 90, 50, 20]])
AUTHORS = {
    "alpha": 0.1,
    "beta": 10.0,
    "mu": 0.2,
    "negative_scale": 2.0,
    "prior_scale": 0.05,
    "gamma": 2.0,
    "scale": 2.0,
}


def reference(
    logits, targets, way=None, *, class_frequencies, alpha, beta, mu, negative_scale, prior_scale, gamma, scale
):
    num_positives, num_negatives = class_frequencies.clamp(min=1).tolist()

    def cost(x, is_positive, row, column):
        present = [c for c, target in enumerate(targets[row].tolist()) if target == POSITIVE]
        ratio = 1 / num_positives[column] / sum(1 / num_positives[c] for c in present) if present else math.inf
        weight = alpha + (sigmoid(beta * (ratio - mu)) if present else 1)
        x += prior_scale * math.log(num_positives[column] / num_negatives[column]) / negative_scale
        if is_positive:
            return weight * sigmoid(-x) ** gamma * softplus(-x)
        return weight * sigmoid(negative_scale * x) ** gamma * softplus(negative_scale * x) / negative_scale

    return scale * mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("changed", [{}, {"gamma": 0.0}, {"negative_scale": 5.0, "prior_scale": 1.0}, {"mu": 0.7}])
def test_it_agrees_with_loops(changed):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    parameters = AUTHORS | changed | {"class_frequencies": FREQUENCIES}
    expected = reference(logits, targets, **parameters)
    assert DistributionBalancedLoss(**parameters)(logits, targets).item() == pytest.approx(expected, rel=1e-8)


def test_it_is_timms():
    """timm computes in float32."""
    logits, targets = labeled_bucket()
    logits, theirs = logits.float(), TimmLoss(FREQUENCIES[0], num_samples=100)
    ours = DistributionBalancedLoss(**AUTHORS, class_frequencies=FREQUENCIES)
    assert_same(ours, theirs, logits, targets, targets.float(), rtol=1e-5, atol=1e-7)


def test_a_sample_without_a_positive_and_a_class_never_seen_stay_finite():
    targets = torch.full((2, 6), NEGATIVE, dtype=torch.int8)
    loss = DistributionBalancedLoss(**AUTHORS, class_frequencies=torch.zeros(2, 6, dtype=torch.int64))
    assert loss_and_gradient(loss, torch.randn(2, 6), targets)[1].isfinite().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alpha": -1}, "alpha: expected a number of at least 0"),
        ({"beta": 0}, "beta: expected a number above 0"),
        ({"mu": math.nan}, "mu: expected a finite number"),
        ({"negative_scale": 0}, "negative_scale: expected a number above 0"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        DistributionBalancedLoss(**AUTHORS | wrong, class_frequencies=FREQUENCIES)


def test_repr_shows_the_parameters():
    shown = repr(DistributionBalancedLoss(**AUTHORS, class_frequencies=FREQUENCIES))
    assert "negative_scale=2.0" in shown
    assert "scale=2.0" in shown
