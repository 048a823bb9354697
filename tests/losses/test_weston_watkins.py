"""Weston and Watkins's hinge against loops, and against torch's for single labels."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import WestonWatkinsLoss
from tests.helpers.loops import WAYS, assert_agrees_with_loops, loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, margin, power):
    def cost(positives, negatives):
        hinges = [max(0, margin - p + n) ** power for p in positives for n in negatives]
        return math.fsum(hinges) / len(positives) / (len(positives) + len(negatives))

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("margin", [0.5, 1.0])
@pytest.mark.parametrize("power", [1, 2])
def test_single_labels_make_it_torchs_multi_margin_loss(power, margin):
    logits, _ = random_bucket(seed=0, num_samples=50, num_classes=12)
    labels = torch.arange(50) % 12
    loss = WestonWatkinsLoss(margin=margin, power=power, way="sample")
    value, gradient = loss_and_gradient(loss, logits, F.one_hot(labels, 12))
    expected, slopes = loss_and_gradient(
        lambda logits, labels: F.multi_margin_loss(logits, labels, p=power, margin=margin), logits, labels
    )
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("way", WAYS)
def test_the_squared_form_agrees_with_loops(way):
    assert_agrees_with_loops(WestonWatkinsLoss, reference, way, margin=1.0, power=2)


def test_the_power_must_be_one_or_two():
    with pytest.raises(ValueError, match="power: expected one of 1, 2, got 3"):
        WestonWatkinsLoss(margin=1, power=3)
