"""The ranking hinge against loops and against torch's, in every mining."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import RankingHingeLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import WAYS, assert_agrees_with_loops, loss_and_gradient, mean_over_groups, random_bucket

ALL = {"margin": 1.0, "weighting": "none", "mining": "all", "seed": 0}


def reference(logits, targets, way, margin, weighting, mining, seed):
    def hinge(positive, negative):
        return max(0, margin - positive + negative)

    def all_pairs(positives, negatives):
        excess = [math.fsum(hinge(p, n) for n in negatives) for p in positives]
        if weighting == "rank":
            return math.fsum(map(math.log1p, excess)) / len(positives)
        return math.fsum(excess) / (len(positives) + len(negatives))

    def hardest(positives, negatives):
        return math.fsum(hinge(p, max(negatives)) for p in positives) / len(positives)

    def semi_hard(positives, negatives):
        below = [max((n for n in negatives if n < p), default=min(negatives)) for p in positives]
        return math.fsum(map(hinge, positives, below)) / len(positives)

    cost = {"all": all_pairs, "hardest": hardest, "semi_hard": semi_hard}[mining]
    return mean_over_groups(cost, logits, targets, way)


def torch_targets(targets):
    """Return the indices of the positives of each row, padded by -1."""
    padded = torch.full(targets.shape, -1)
    for row, labels in enumerate(targets):
        indices = (labels == POSITIVE).nonzero()[:, 0]
        padded[row, : len(indices)] = indices
    return padded


def test_it_is_torchs_multi_label_margin_loss():
    logits, targets = random_bucket(seed=0, num_samples=50, num_classes=12)
    targets = torch.where(targets == POSITIVE, POSITIVE, NEGATIVE)
    targets[:, 0], targets[:, 1] = POSITIVE, NEGATIVE
    value, gradient = loss_and_gradient(RankingHingeLoss(**ALL, way="sample"), logits, targets)
    expected, slopes = loss_and_gradient(F.multilabel_margin_loss, logits, torch_targets(targets))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, slopes, rtol=1e-6, atol=1e-8)


def test_it_is_torchs_margin_ranking_loss_of_the_pairs():
    """The mean over 2 x 4 pairs of each sample, times 8 pairs, over 6 classes."""
    logits, _ = random_bucket(seed=0, dtype=torch.float64)
    targets = torch.full((7, 6), NEGATIVE)
    targets[:, :2] = POSITIVE
    above, below = torch.broadcast_tensors(logits[:, :2, None], logits[:, None, 2:])
    expected = F.margin_ranking_loss(above, below, torch.ones_like(above), margin=1.0) * 8 / 6
    loss = RankingHingeLoss(**ALL, way="sample")
    torch.testing.assert_close(loss(logits, targets), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("more", [{"weighting": "rank"}, {"mining": "hardest"}, {"mining": "semi_hard"}])
@pytest.mark.parametrize("way", WAYS)
def test_every_form_agrees_with_loops(way, more):
    assert_agrees_with_loops(RankingHingeLoss, reference, way, **ALL | more | {"margin": 2.0})


@pytest.mark.parametrize("more", [{}, {"weighting": "rank"}, {"mining": "semi_hard"}, {"mining": "random"}])
def test_a_shift_of_all_logits_does_not_matter(more):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = RankingHingeLoss(**(ALL | more))
    torch.testing.assert_close(loss(logits + 100, targets), loss(logits, targets), rtol=1e-11, atol=0)


def test_a_large_offset_costs_no_digits():
    logits, targets = random_bucket(seed=0, num_samples=64, num_classes=64)
    logits = (8 * logits).round() / 8  # so that adding 4096 rounds nothing
    loss = RankingHingeLoss(**ALL)
    torch.testing.assert_close(loss(logits + 4096, targets), loss(logits, targets), rtol=1e-5, atol=0)


def test_rank_weighting_needs_all_pairs():
    with pytest.raises(ValueError, match="weighting: expected none with mining=hardest"):
        RankingHingeLoss(margin=1, weighting="rank", mining="hardest", seed=0)


def test_an_unknown_mining_is_refused():
    with pytest.raises(ValueError, match="mining: expected one of all, hardest, semi_hard, random, got 'easy'"):
        RankingHingeLoss(margin=1, weighting="none", mining="easy", seed=0)
