"""Crammer and Singer's hinge against loops, and as the hinge of the margin."""

import math

import pytest
import torch
from loops import loss_and_gradient, mean_over_groups, random_bucket

from margin_bench.losses import CrammerSingerLoss
from margin_bench.losses.margins import margins
from margin_bench.targets import NEGATIVE, POSITIVE


def reference(logits, targets, way, margin):
    def cost(positives, negatives):
        return max(0, margin - min(positives) + max(negatives))

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("way", ["sample", "class", "joint"])
def test_it_is_the_hinge_of_the_margin(way):
    logits, targets = random_bucket(seed=0)
    gaps, counts = margins(logits, targets, way)
    expected = (1 - gaps[counts]).clamp(min=0).mean()
    torch.testing.assert_close(CrammerSingerLoss(margin=1.0, way=way)(logits, targets), expected)


def test_one_positive_and_one_negative_of_a_group_are_moved():
    targets = torch.tensor([[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]])
    loss = CrammerSingerLoss(margin=1.0, way="sample")
    _, gradient = loss_and_gradient(loss, torch.tensor([[3.0, 2.0, 1.5, 0.0]]), targets)
    assert gradient.tolist() == [[0, -1, 1, 0]]


def test_a_margin_must_be_finite():
    with pytest.raises(ValueError, match="margin: expected a finite number, got nan"):
        CrammerSingerLoss(margin=math.nan)
