"""The pairwise logistic loss against loops, in every mining and in chunks of any size."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import PairwiseLogisticLoss, pairwise_logistic
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.entries import softplus
from tests.helpers.loops import WAYS, assert_agrees_with_loops, loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, mining, seed):
    def all_pairs(positives, negatives):
        return math.fsum(softplus(n - p) for p in positives for n in negatives) / (len(positives) * len(negatives))

    def hardest(positives, negatives):
        return math.fsum(softplus(max(negatives) - p) for p in positives) / len(positives)

    def semi_hard(positives, negatives):
        below = [max((n for n in negatives if n < p), default=min(negatives)) for p in positives]
        return math.fsum(softplus(n - p) for p, n in zip(positives, below, strict=True)) / len(positives)

    cost = {"all": all_pairs, "hardest": hardest, "semi_hard": semi_hard}[mining]
    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("mining", ["hardest", "semi_hard"])
@pytest.mark.parametrize("way", WAYS)
def test_mining_agrees_with_loops(way, mining):
    assert_agrees_with_loops(PairwiseLogisticLoss, reference, way, mining=mining, seed=0)


@pytest.mark.parametrize("way", WAYS)
def test_the_size_of_the_chunks_does_not_matter(way, monkeypatch):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = PairwiseLogisticLoss(mining="all", seed=0, way=way)
    expected, slopes = loss_and_gradient(loss, logits, targets)
    for chunk in (1, 20):
        monkeypatch.setattr(pairwise_logistic, "CHUNK", chunk)
        value, gradient = loss_and_gradient(loss, logits, targets)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, slopes, rtol=1e-12, atol=1e-15)


def test_it_is_torchs_soft_margin_loss_of_the_differences():
    logits, _ = random_bucket(seed=0, dtype=torch.float64)
    targets = torch.full((7, 6), NEGATIVE)
    targets[:, :2] = POSITIVE
    differences = logits[:, :2, None] - logits[:, None, 2:]
    expected = F.soft_margin_loss(differences, torch.ones_like(differences))
    loss = PairwiseLogisticLoss(mining="all", seed=0, way="sample")
    torch.testing.assert_close(loss(logits, targets), expected, rtol=1e-12, atol=0)


def test_a_shift_of_all_logits_does_not_matter():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = PairwiseLogisticLoss(mining="all", seed=0)
    torch.testing.assert_close(loss(logits + 100, targets), loss(logits, targets), rtol=1e-11, atol=0)
