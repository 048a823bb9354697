"""The Dice loss."""

import pytest
import torch
from entries import random_bucket, sigmoid

from margin_bench.losses import DiceLoss
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED


def group_cost(logits, targets, smoothing):
    """The cost of one group as lists; None if it does not count."""
    if POSITIVE not in targets or NEGATIVE not in targets:
        return None
    overlap = sum(sigmoid(x) for x, target in zip(logits, targets, strict=True) if target == POSITIVE)
    total = sum(sigmoid(x) for x, target in zip(logits, targets, strict=True) if target != UNLABELED)
    return 1 - (2 * overlap + smoothing) / (total + targets.count(POSITIVE) + smoothing)


def reference(logits, targets, way, *, smoothing):
    matrices = {
        "sample": [(logits, targets)],
        "class": [(logits.T, targets.T)],
        "both": [(logits, targets), (logits.T, targets.T)],
        "joint": [(logits.reshape(1, -1), targets.reshape(1, -1))],
    }[way]
    loss = 0.0
    for values, labels in matrices:
        costs = [group_cost(*group, smoothing) for group in zip(values.tolist(), labels.tolist(), strict=True)]
        counting = [cost for cost in costs if cost is not None]
        loss += sum(counting) / max(len(counting), 1)
    return loss


@pytest.mark.parametrize("smoothing", [0.1, 1])
@pytest.mark.parametrize("way", ["sample", "class", "both", "joint"])
def test_it_agrees_with_loops(way, smoothing):
    logits, targets = random_bucket()
    expected = reference(logits, targets, way, smoothing=smoothing)
    assert DiceLoss(way=way, smoothing=smoothing)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_a_perfect_overlap_costs_nothing():
    targets = torch.tensor([[POSITIVE, NEGATIVE, POSITIVE]], dtype=torch.int8)
    assert DiceLoss(way="sample", smoothing=1)(torch.tensor([[1e4, -1e4, 1e4]]), targets).item() == 0


def test_a_smoothing_is_above_zero():
    with pytest.raises(ValueError, match="smoothing: expected a number above 0"):
        DiceLoss(smoothing=0)
