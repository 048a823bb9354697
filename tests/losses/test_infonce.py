"""InfoNCE against loops, and against cross-entropy where it is that."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import InfoNCELoss, RankingHingeLoss, TwoWayLoss
from margin_bench.targets import POSITIVE
from tests.helpers.loops import WAYS, mean_over_groups, random_bucket


def reference(logits, targets, way, temperature):
    def cost(positives, negatives):
        others = math.fsum(math.exp(x / temperature) for x in negatives)
        own = [math.exp(x / temperature) for x in positives]
        return -math.fsum(math.log(x / (x + others)) for x in own) / len(own)

    return mean_over_groups(cost, logits, targets, way)


def test_pairs_make_it_the_multiple_negatives_ranking_loss():
    """Query i belongs to document i alone; in both ways it is the symmetric form."""
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    targets = torch.eye(6).to(torch.int8)
    own = torch.arange(6)
    torch.testing.assert_close(
        InfoNCELoss(temperature=0.05, way="sample")(logits, targets), F.cross_entropy(logits / 0.05, own)
    )
    torch.testing.assert_close(
        InfoNCELoss(temperature=0.05, way="both")(logits, targets),
        F.cross_entropy(logits / 0.05, own) + F.cross_entropy(logits.T / 0.05, own),
    )


def test_one_positive_at_temperature_one_makes_it_the_two_way_loss():
    logits, _ = random_bucket(seed=0)
    targets = F.one_hot(torch.arange(7) % 6, 6).to(torch.int8)
    expected = TwoWayLoss(1, 1, "sample")(logits, targets)
    torch.testing.assert_close(InfoNCELoss(temperature=1, way="sample")(logits, targets), expected)


@pytest.mark.parametrize("way", WAYS)
def test_as_the_temperature_vanishes_the_hinge_of_the_highest_negative_remains(way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    hinge = RankingHingeLoss(margin=0.0, weighting="none", mining="hardest", seed=0, way=way)
    value = 1e-4 * InfoNCELoss(temperature=1e-4, way=way)(logits, targets)
    torch.testing.assert_close(value, hinge(logits, targets), rtol=1e-12, atol=0)


def test_positives_do_not_compete():
    logits, targets = random_bucket(seed=0)
    targets[2] = POSITIVE
    targets[2, 0] = 0
    loss = InfoNCELoss(temperature=1, way="sample")
    raised = logits.clone()
    raised[2, 1] += 100
    assert loss(raised, targets) < loss(logits, targets)


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_must_be_above_zero(temperature):
    with pytest.raises(ValueError, match="temperature: expected a number above 0"):
        InfoNCELoss(temperature=temperature)
