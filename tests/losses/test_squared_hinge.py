"""The squared hinge loss of each logit."""

import pytest
import torch

from margin_bench.losses import HingeLoss, SquaredHingeLoss
from margin_bench.targets import NEGATIVE
from tests.helpers.entries import mean_over_entries, right
from tests.helpers.loops import loss_and_gradient, random_bucket


def reference(logits, targets, way=None, *, margin):
    return mean_over_entries(lambda x, is_positive, *_: max(0, margin - right(x, is_positive)) ** 2, logits, targets)


@pytest.mark.parametrize("margin", [0.5, 2])
def test_it_agrees_with_loops(margin):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = reference(logits, targets, margin=margin)
    assert SquaredHingeLoss(margin=margin)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_the_slope_grows_with_the_violation():
    """Negatives at -2, 0 and 1 violate the margin by 0, 1 and 2: slopes of 0, 2 and 4, over three entries."""
    targets = torch.full((1, 3), NEGATIVE, dtype=torch.int8)
    slopes = loss_and_gradient(SquaredHingeLoss(margin=1), torch.tensor([[-2.0, 0.0, 1.0]]), targets)[1]
    torch.testing.assert_close(slopes, torch.tensor([[0, 2 / 3, 4 / 3]]))


def test_of_a_single_entry_it_is_the_square_of_the_hinge():
    logits, targets = torch.tensor([[0.7]]), torch.full((1, 1), NEGATIVE)
    assert SquaredHingeLoss(margin=2)(logits, targets) == HingeLoss(margin=2)(logits, targets).square()


def test_a_margin_is_above_zero():
    with pytest.raises(ValueError, match="margin: expected a number above 0"):
        SquaredHingeLoss(margin=0)
