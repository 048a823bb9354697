"""The focal loss."""

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from margin_bench.losses import BCELoss, FocalLoss
from margin_bench.targets import NEGATIVE
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, right, sigmoid, softplus
from tests.helpers.loops import loss_and_gradient, random_bucket


def reference(logits, targets, way=None, *, gamma, alpha, scale, detach_weight=False):
    def cost(x, is_positive, *_):
        weight = 1 if alpha is None else alpha if is_positive else 1 - alpha
        return weight * sigmoid(-right(x, is_positive)) ** gamma * softplus(-right(x, is_positive))

    return scale * mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("alpha", [None, 0.25, 0])
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_it_agrees_with_loops(gamma, alpha):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    parameters = {"gamma": gamma, "alpha": alpha, "scale": 3.0}
    expected = reference(logits, targets, **parameters)
    assert FocalLoss(**parameters)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("alpha", "theirs"), [(0.25, 0.25), (None, -1)])
def test_it_is_torchvisions(alpha, theirs):
    logits, targets = labeled_bucket()

    def focal(logits, targets):
        return sigmoid_focal_loss(logits, targets, alpha=theirs, gamma=2, reduction="mean")

    assert_same(FocalLoss(gamma=2, alpha=alpha, scale=1), focal, logits, targets, targets.double(), rtol=1e-9)


def test_a_gamma_of_zero_makes_it_the_binary_cross_entropy():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert_same(FocalLoss(gamma=0, alpha=None, scale=1), BCELoss(), logits, targets, targets)


@pytest.mark.parametrize("gamma", [0.5, 2])
def test_the_slope_is_finite_however_wrong_or_right_a_logit_is(gamma):
    """A negative at 1e4 costs its logit, one at -1e4 nothing: slopes of 1 and 0, over two entries."""
    targets = torch.full((1, 2), NEGATIVE, dtype=torch.int8)
    slopes = loss_and_gradient(FocalLoss(gamma=gamma, alpha=None, scale=1), torch.tensor([[1e4, -1e4]]), targets)[1]
    assert slopes.tolist() == [[0.5, 0]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gamma": -1}, "gamma: expected a number of at least 0"),
        ({"alpha": 2}, "alpha: expected a number from 0 to 1"),
        ({"scale": 0}, "scale: expected a number above 0"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        FocalLoss(**{"gamma": 2, "alpha": None, "scale": 1} | wrong)


def test_a_detached_weight_changes_the_gradient_alone():
    logits, targets = labeled_bucket()
    parameters = {"gamma": 2.0, "alpha": 0.25, "scale": 1.0}
    value, gradient = loss_and_gradient(FocalLoss(**parameters, detach_weight=True), logits, targets)
    assert value.item() == FocalLoss(**parameters)(logits, targets).item()
    wrong = torch.sigmoid(torch.where(targets == NEGATIVE, logits, -logits))
    sides = torch.where(targets == NEGATIVE, 0.75, -0.25)
    torch.testing.assert_close(gradient, sides * wrong**2 * wrong / targets.numel())
