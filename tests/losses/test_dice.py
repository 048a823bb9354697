"""The Dice loss."""

import pytest
import torch

from margin_bench.losses import DiceLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.entries import sigmoid
from tests.helpers.loops import WAYS, mean_over_groups, random_bucket


def reference(logits, targets, way, *, smoothing):
    def cost(positives, negatives):
        overlap = sum(map(sigmoid, positives))
        return 1 - (2 * overlap + smoothing) / (overlap + sum(map(sigmoid, negatives)) + len(positives) + smoothing)

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("smoothing", [0.1, 1])
@pytest.mark.parametrize("way", WAYS)
def test_it_agrees_with_loops(way, smoothing):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = reference(logits, targets, way, smoothing=smoothing)
    assert DiceLoss(way=way, smoothing=smoothing)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_a_perfect_overlap_costs_nothing():
    targets = torch.tensor([[POSITIVE, NEGATIVE, POSITIVE]], dtype=torch.int8)
    assert DiceLoss(way="sample", smoothing=1)(torch.tensor([[1e4, -1e4, 1e4]]), targets).item() == 0


def test_a_smoothing_is_above_zero():
    with pytest.raises(ValueError, match="smoothing: expected a number above 0"):
        DiceLoss(smoothing=0)
