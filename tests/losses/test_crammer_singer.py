"""Crammer and Singer's hinge against loops, and as the hinge of the margin."""

import math

import pytest
import torch

from margin_bench.losses import CrammerSingerLoss
from margin_bench.losses.margins import margins
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import WAYS, assert_agrees_with_loops, loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, margin, power):
    def cost(positives, negatives):
        return max(0, margin - min(positives) + max(negatives)) ** power

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("way", ["sample", "class", "joint"])
def test_it_is_the_hinge_of_the_margin(way, power):
    logits, targets = random_bucket(seed=0)
    gaps, counts = margins(logits, targets, way)
    expected = (1 - gaps[counts]).clamp(min=0).pow(power).mean()
    torch.testing.assert_close(CrammerSingerLoss(margin=1.0, power=power, way=way)(logits, targets), expected)


def test_one_positive_and_one_negative_of_a_group_are_moved():
    targets = torch.tensor([[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]])
    loss = CrammerSingerLoss(margin=1.0, power=1, way="sample")
    _, gradient = loss_and_gradient(loss, torch.tensor([[3.0, 2.0, 1.5, 0.0]]), targets)
    assert gradient.tolist() == [[0, -1, 1, 0]]


def test_a_margin_must_be_finite():
    with pytest.raises(ValueError, match="margin: expected a finite number, got nan"):
        CrammerSingerLoss(margin=math.nan, power=1)


@pytest.mark.parametrize("way", WAYS)
def test_the_squared_form_agrees_with_loops(way):
    assert_agrees_with_loops(CrammerSingerLoss, reference, way, margin=1.0, power=2)


def test_the_power_must_be_one_or_two():
    with pytest.raises(ValueError, match="power: expected one of 1, 2, got 3"):
        CrammerSingerLoss(margin=1, power=3)
