"""The circle loss against loops, in value and in the gradient of its paper."""

import math

import pytest
import torch

from margin_bench.losses import CircleLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import WAYS, loss_and_gradient, mean_over_groups, random_bucket

PARAMETERS = {"gamma": 8.0, "margin": 0.25, "logit_scale": 4.0}


def reference(logits, targets, way, gamma, margin, logit_scale):
    def cost(positives, negatives):
        total = 0.0
        for s_p in (x / logit_scale for x in positives):
            for s_n in (x / logit_scale for x in negatives):
                positive_weight, negative_weight = max(1 + margin - s_p, 0), max(s_n + margin, 0)
                total += math.exp(gamma * (negative_weight * (s_n - margin) - positive_weight * (s_p - (1 - margin))))
        return math.log1p(total)

    return mean_over_groups(cost, logits, targets, way)


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_takes_the_weights_for_constants(way):
    """Finite differences of a loss whose weights stay as they are where the slope is taken."""

    def frozen(moved):
        """Return the loss of moved logits if the weights are those of the logits."""
        similarities = logits / 4.0
        slope = torch.where(
            targets == POSITIVE, -(1.25 - similarities).clamp(min=0), (similarities + 0.25).clamp(min=0)
        )
        offset = torch.where(targets == POSITIVE, 0.75, 0.25)
        exponents = 8.0 * slope * (moved / 4.0 - offset)

        def cost(positives, negatives):
            return math.log1p(math.fsum(map(math.exp, positives)) * math.fsum(map(math.exp, negatives)))

        return mean_over_groups(cost, exponents, targets, way)

    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    _, gradient = loss_and_gradient(CircleLoss(**PARAMETERS, way=way), logits, targets)
    for row in range(7):
        for column in range(6):
            step = torch.zeros_like(logits)
            step[row, column] = 1e-5
            slope = (frozen(logits + step) - frozen(logits - step)) / 2e-5
            assert gradient[row, column].item() == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_similarities_at_their_optima_have_no_slope():
    targets = torch.tensor([[POSITIVE, NEGATIVE, NEGATIVE]])
    _, gradient = loss_and_gradient(CircleLoss(**PARAMETERS, way="sample"), torch.tensor([[5.0, -1.0, -1.1]]), targets)
    assert gradient.tolist() == [[0, 0, 0]]


def test_a_gamma_must_be_above_zero():
    with pytest.raises(ValueError, match="gamma: expected a number above 0, got 0"):
        CircleLoss(gamma=0, margin=0.25, logit_scale=1)
