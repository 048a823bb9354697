"""ZLPR against loops, as the member of the multi-similarity family that it is, and against timm's."""

import math

import pytest
import torch
from timm.loss import ZlprLoss as TimmZlpr

from margin_bench.losses import MultiSimilarityLoss, ZLPRLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import WAYS, loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way):
    def cost(positives, negatives):
        return math.log(1 + math.fsum(math.exp(-x) for x in positives)) + math.log(
            1 + math.fsum(math.exp(x) for x in negatives)
        )

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_multi_similarity_at_temperatures_of_one(way):
    logits, targets = random_bucket(seed=0)
    value, gradient = loss_and_gradient(ZLPRLoss(way=way), logits, targets)
    similar = MultiSimilarityLoss(positive_temperature=1, negative_temperature=1, way=way)
    expected, slopes = loss_and_gradient(similar, logits, targets)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, slopes)


def test_it_is_timms_where_every_sample_has_both_labels():
    logits, _ = random_bucket(seed=0)
    targets = torch.full((7, 6), NEGATIVE)
    targets[torch.arange(7), torch.arange(7) % 6] = POSITIVE
    targets[:, 0] = POSITIVE
    expected = TimmZlpr()(logits, targets.float())
    torch.testing.assert_close(ZLPRLoss(way="sample")(logits, targets), expected)
