"""The triplet loss against loops over distances, and against torch's."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from margin_bench.losses import TripletLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import WAYS, assert_agrees_with_loops, mean_over_groups


def reference(logits, targets, way, margin, mining, seed, logit_scale):
    def hinge(positive, negative):
        return max(0, positive - negative + margin)

    def cost(positives, negatives):
        near = [2 - 2 * x / logit_scale for x in positives]
        far = [2 - 2 * x / logit_scale for x in negatives]
        if mining == "all":
            return math.fsum(hinge(p, n) for p in near for n in far) / (len(near) * len(far))
        if mining == "hardest":
            return math.fsum(hinge(p, min(far)) for p in near) / len(near)
        farther = [min((n for n in far if n > p), default=max(far)) for p in near]
        return math.fsum(map(hinge, near, farther)) / len(near)

    return mean_over_groups(cost, logits, targets, way)


def test_it_is_torchs_between_unit_vectors():
    generator = torch.Generator().manual_seed(0)
    samples = F.normalize(torch.randn(5, 8, generator=generator))
    classes = F.normalize(torch.randn(3, 8, generator=generator))
    targets = torch.tensor([[POSITIVE, NEGATIVE, NEGATIVE]] * 5)
    peer = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).square().sum(-1), margin=0.2)
    expected = (
        peer(samples, classes[[0] * 5], classes[[1] * 5]) + peer(samples, classes[[0] * 5], classes[[2] * 5])
    ) / 2
    loss = TripletLoss(margin=0.2, mining="all", seed=0, logit_scale=16, way="sample")
    torch.testing.assert_close(loss(16 * samples @ classes.T, targets), expected)


@pytest.mark.parametrize("mining", ["all", "hardest", "semi_hard"])
@pytest.mark.parametrize("way", WAYS)
def test_every_mining_agrees_with_loops(way, mining):
    assert_agrees_with_loops(TripletLoss, reference, way, margin=0.3, mining=mining, seed=0, logit_scale=8.0)
