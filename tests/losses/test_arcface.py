"""ArcFace against loops over angles."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import ArcFaceLoss, InfoNCELoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, margin, logit_scale):
    def turned(x):
        angle = math.acos(x / logit_scale)
        if angle + margin < math.pi:
            return logit_scale * math.cos(angle + margin)
        return logit_scale * (math.cos(angle) - margin * math.sin(margin))

    def cost(positives, negatives):
        others = math.fsum(math.exp(x) for x in negatives)
        own = [math.exp(turned(x)) for x in positives]
        return -math.fsum(math.log(x / (x + others)) for x in own) / len(own)

    return mean_over_groups(cost, logits, targets, way)


def test_single_labels_make_it_cross_entropy_with_the_label_turned():
    cosines = torch.rand(7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.9 - 0.85
    labels = torch.arange(7) % 6
    one_hot = F.one_hot(labels, 6)
    expected = F.cross_entropy(16 * (cosines.acos() + 0.5 * one_hot).cos(), labels)
    loss = ArcFaceLoss(margin=0.5, logit_scale=16, way="sample")
    torch.testing.assert_close(loss(16 * cosines, one_hot), expected)


def test_a_larger_angle_always_costs_more():
    """Also beyond pi less the margin, where the cosine of the turned angle rises again."""
    cosines = torch.linspace(1, -1, 401, dtype=torch.float64)
    targets = torch.tensor([[POSITIVE, NEGATIVE]])
    loss = ArcFaceLoss(margin=0.5, logit_scale=16, way="sample")
    costs = torch.stack([loss(torch.stack([16 * cosine, cosine * 0])[None], targets) for cosine in cosines])
    assert (costs.diff() > 0).all()


@pytest.mark.parametrize("cosine", [-1.0, 1.0])
def test_the_slope_at_the_poles_is_finite(cosine):
    targets = torch.tensor([[POSITIVE, NEGATIVE]])
    loss = ArcFaceLoss(margin=0.5, logit_scale=16, way="sample")
    _, gradient = loss_and_gradient(loss, torch.tensor([[16 * cosine, 16 * cosine]]), targets)
    assert gradient.isfinite().all()
    assert gradient.abs().max() <= 1


def test_without_a_margin_it_is_infonce():
    logits, targets = random_bucket(seed=0)
    expected = InfoNCELoss(temperature=1)(logits, targets)
    torch.testing.assert_close(ArcFaceLoss(margin=0, logit_scale=16)(logits, targets), expected)


@pytest.mark.parametrize("margin", [-0.1, 4, math.nan])
def test_a_margin_must_be_an_angle(margin):
    with pytest.raises(ValueError, match="margin: expected an angle of 0 to pi"):
        ArcFaceLoss(margin=margin, logit_scale=16)
