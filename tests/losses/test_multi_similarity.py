"""The multi-similarity loss against loops, against the BCE that it is, and in its limit."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import MultiSimilarityLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.entries import softplus
from tests.helpers.loops import WAYS, loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, positive_temperature, negative_temperature):
    def hardest(logits, temperature):
        return temperature * math.log(math.fsum(math.exp(x / temperature) for x in logits))

    def cost(positives, negatives):
        hard_positive = hardest([-x for x in positives], positive_temperature)
        return softplus(hard_positive) + softplus(hardest(negatives, negative_temperature))

    return mean_over_groups(cost, logits, targets, way)


def test_it_is_the_bce_of_the_hard_positive_and_the_hard_negative():
    """Eq. 21, written with sums as in eq. 20."""
    logits, _ = random_bucket(seed=0)
    targets = torch.full((7, 6), NEGATIVE)
    targets[:, :2] = POSITIVE
    hard_logits = torch.stack([-torch.logsumexp(-logits[:, :2], 1), torch.logsumexp(logits[:, 2:], 1)])
    labels = torch.tensor([[1.0], [0.0]]).expand_as(hard_logits)
    expected = F.binary_cross_entropy_with_logits(hard_logits, labels, reduction="sum") / 7
    loss = MultiSimilarityLoss(positive_temperature=1, negative_temperature=1, way="sample")
    torch.testing.assert_close(loss(logits, targets), expected)


@pytest.mark.parametrize("way", WAYS)
def test_at_temperature_zero_the_hardest_logits_remain(way):
    def cost(positives, negatives):
        return math.log1p(math.exp(-min(positives))) + math.log1p(math.exp(max(negatives)))

    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    for temperature in (0, 1e-6):
        loss = MultiSimilarityLoss(positive_temperature=temperature, negative_temperature=temperature, way=way)
        expected = mean_over_groups(cost, logits, targets, way)
        assert loss(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_equal_hardest_logits_share_the_gradient_at_temperature_zero():
    """The slopes of softplus(-1) and softplus(1), each shared by two."""
    targets = torch.tensor([[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]])
    loss = MultiSimilarityLoss(positive_temperature=0, negative_temperature=0, way="sample")
    _, gradient = loss_and_gradient(loss, torch.ones(1, 4), targets)
    down, up = 1 / (1 + math.e) / 2, 1 / (1 + math.exp(-1)) / 2
    assert gradient.tolist()[0] == pytest.approx([-down, -down, up, up])


def test_it_is_not_invariant_to_a_shift():
    logits, targets = random_bucket(seed=0)
    loss = MultiSimilarityLoss(positive_temperature=1, negative_temperature=1)
    assert abs(loss(logits + 5, targets) - loss(logits, targets)) > 0.1


@pytest.mark.parametrize("temperature", [-1, math.nan, math.inf])
def test_a_temperature_must_be_a_number_of_at_least_zero(temperature):
    with pytest.raises(ValueError, match="negative_temperature: expected a number of at least 0"):
        MultiSimilarityLoss(positive_temperature=1, negative_temperature=temperature)
