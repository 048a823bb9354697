"""The contrastive loss against loops over distances."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import ContrastiveLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import loss_and_gradient, mean_over_groups


def reference(logits, targets, way, margin, logit_scale):
    def cost(positives, negatives):
        near = [2 - 2 * x / logit_scale for x in positives]
        far = [math.sqrt(2 - 2 * x / logit_scale) for x in negatives]
        return math.fsum(near) / len(near) + math.fsum(max(0, margin - d) ** 2 for d in far) / len(far)

    return mean_over_groups(cost, logits, targets, way)


def test_distances_are_those_of_unit_vectors():
    """One positive and two negatives: d_p^2 + mean over them of max(0, 1.5 - d_n)^2."""
    generator = torch.Generator().manual_seed(0)
    sample = F.normalize(torch.randn(1, 8, generator=generator, dtype=torch.float64))
    classes = F.normalize(torch.randn(3, 8, generator=generator, dtype=torch.float64))
    distances = torch.cdist(sample, classes)[0]
    expected = distances[0] ** 2 + (1.5 - distances[1:]).clamp(min=0).square().mean()
    loss = ContrastiveLoss(margin=1.5, logit_scale=16, way="sample")
    value = loss(16 * sample @ classes.T, torch.tensor([[POSITIVE, NEGATIVE, NEGATIVE]]))
    torch.testing.assert_close(value, expected)


def test_a_negative_on_the_spot_has_no_slope():
    targets = torch.tensor([[POSITIVE, NEGATIVE]])
    loss = ContrastiveLoss(margin=1, logit_scale=16, way="sample")
    value, gradient = loss_and_gradient(loss, torch.tensor([[16.0, 16.0]]), targets)
    assert value.item() == pytest.approx(0.99**2)
    assert gradient.tolist() == [[-0.125, 0]]


def test_a_margin_must_be_above_zero():
    with pytest.raises(ValueError, match="margin: expected a number above 0, got 0"):
        ContrastiveLoss(margin=0, logit_scale=16)
