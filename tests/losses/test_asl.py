"""The asymmetric loss."""

import itertools
import math

import pytest
import torch
from timm.loss import AsymmetricLossMultiLabel

from margin_bench.losses import AsymmetricLoss, FocalLoss
from margin_bench.targets import NEGATIVE
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, sigmoid, softplus
from tests.helpers.loops import loss_and_gradient, random_bucket

PAPER = {"positive_gamma": 0.0, "negative_gamma": 4.0, "clip": 0.05, "scale": 1.0}


def reference(logits, targets, way=None, *, positive_gamma, negative_gamma, clip, scale, detach_weight=False):
    def cost(x, is_positive, *_):
        if is_positive:
            return sigmoid(-x) ** positive_gamma * softplus(-x)
        q = max(sigmoid(x) - clip, 0)
        return q**negative_gamma * (softplus(x) if clip == 0 else -math.log(1 - q))

    return scale * mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("clip", [0, 0.05])
@pytest.mark.parametrize(("positive_gamma", "negative_gamma"), [(0, 4), (1, 1), (0.5, 0)])
def test_it_agrees_with_loops(positive_gamma, negative_gamma, clip):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    parameters = {"positive_gamma": positive_gamma, "negative_gamma": negative_gamma, "clip": clip, "scale": 3.0}
    expected = reference(logits, targets, **parameters)
    assert AsymmetricLoss(**parameters)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("clip", [0, 0.05])
@pytest.mark.parametrize(("positive_gamma", "negative_gamma"), [(0, 4), (1, 2)])
def test_it_is_timms(positive_gamma, negative_gamma, clip):
    """timm computes in float32."""
    logits, targets = labeled_bucket()
    logits = logits.float()
    theirs = AsymmetricLossMultiLabel(negative_gamma, positive_gamma, clip, reduction="mean")
    ours = AsymmetricLoss(positive_gamma=positive_gamma, negative_gamma=negative_gamma, clip=clip, scale=1)
    assert_same(ours, theirs, logits, targets, targets.float(), rtol=1e-5, atol=1e-7)


def test_one_gamma_and_no_clip_make_it_focal():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    ours = AsymmetricLoss(positive_gamma=2, negative_gamma=2, clip=0, scale=1)
    assert_same(ours, FocalLoss(gamma=2, alpha=None, scale=1), logits, targets, targets)


def test_a_negative_below_the_clip_costs_nothing():
    """sigmoid(-3) = 0.047."""
    targets = torch.full((1, 2), NEGATIVE, dtype=torch.int8)
    logits = torch.full((1, 2), -3.0)
    assert AsymmetricLoss(**PAPER)(logits, targets).item() == 0
    assert loss_and_gradient(AsymmetricLoss(**PAPER), logits, targets)[1].tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"positive_gamma": -1}, "positive_gamma: expected a number of at least 0"),
        ({"negative_gamma": 0.5}, "negative_gamma: expected 0 or a number of at least 1"),
        ({"clip": 1}, "clip: expected a number from 0 up to but without 1"),
        ({"scale": 0}, "scale: expected a number above 0"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        AsymmetricLoss(**PAPER | wrong)


@pytest.mark.parametrize("clip", [0, 0.05])
def test_a_detached_weight_changes_the_gradient_alone(clip):
    """As in timm with `disable_torch_grad_focal_loss`, and in loops in which the weight is a number."""
    logits, targets = labeled_bucket()
    parameters = {"positive_gamma": 1.0, "negative_gamma": 4.0, "clip": clip, "scale": 1.0}
    ours = AsymmetricLoss(**parameters, detach_weight=True)
    value, gradient = loss_and_gradient(ours, logits, targets)
    assert value.item() == AsymmetricLoss(**parameters)(logits, targets).item()
    slopes = torch.zeros_like(gradient)
    for entry in itertools.product(*map(range, logits.shape)):
        p = sigmoid(logits[entry].item())
        if targets[entry] == NEGATIVE:
            q = max(p - clip, 0)
            slopes[entry] = q**4 * p * (1 - p) / (1 - q) * (q > 0)
        else:
            slopes[entry] = -((1 - p) ** 1) * (1 - p)
    torch.testing.assert_close(gradient, slopes / targets.numel(), rtol=1e-9, atol=1e-12)
    theirs = AsymmetricLossMultiLabel(4.0, 1.0, clip, disable_torch_grad_focal_loss=True, reduction="mean")
    assert_same(ours, theirs, logits.float(), targets, targets.float(), rtol=1e-5, atol=1e-7)
