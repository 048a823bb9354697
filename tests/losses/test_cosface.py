"""CosFace against loops."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import CosFaceLoss, InfoNCELoss
from tests.helpers.loops import mean_over_groups, random_bucket


def reference(logits, targets, way, margin, logit_scale):
    def cost(positives, negatives):
        others = math.fsum(math.exp(x) for x in negatives)
        own = [math.exp(logit_scale * (x / logit_scale - margin)) for x in positives]
        return -math.fsum(math.log(x / (x + others)) for x in own) / len(own)

    return mean_over_groups(cost, logits, targets, way)


def test_single_labels_make_it_cross_entropy_with_the_margin_on_the_label():
    logits, _ = random_bucket(seed=0)
    labels = torch.arange(7) % 6
    one_hot = F.one_hot(labels, 6)
    expected = F.cross_entropy(logits - 16 * 0.35 * one_hot, labels)
    loss = CosFaceLoss(margin=0.35, logit_scale=16, way="sample")
    torch.testing.assert_close(loss(logits, one_hot), expected)


def test_without_a_margin_it_is_infonce():
    logits, targets = random_bucket(seed=0)
    expected = InfoNCELoss(temperature=1)(logits, targets)
    torch.testing.assert_close(CosFaceLoss(margin=0, logit_scale=16)(logits, targets), expected)


def test_a_scale_must_be_above_zero():
    with pytest.raises(ValueError, match="logit_scale: expected a number above 0, got 0"):
        CosFaceLoss(margin=0.35, logit_scale=0)
