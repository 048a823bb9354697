"""The hinge loss of each logit."""

import pytest
import torch
from entries import mean_over_entries, right
from loops import loss_and_gradient, random_bucket

from margin_bench.losses import HingeLoss
from margin_bench.targets import NEGATIVE, POSITIVE


def reference(logits, targets, way=None, *, margin):
    return mean_over_entries(lambda x, is_positive, *_: max(0, margin - right(x, is_positive)), logits, targets)


@pytest.mark.parametrize("margin", [0.5, 2])
def test_it_agrees_with_loops(margin):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = reference(logits, targets, margin=margin)
    assert HingeLoss(margin=margin)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_what_is_right_by_the_margin_has_no_slope():
    """A positive at 3 is right, at the kink of 1 too, at 0.5 it is not: slopes of 0, 0 and -1, over three entries."""
    targets = torch.full((1, 3), POSITIVE, dtype=torch.int8)
    slopes = loss_and_gradient(HingeLoss(margin=1), torch.tensor([[3.0, 1.0, 0.5]]), targets)[1]
    torch.testing.assert_close(slopes, torch.tensor([[0, 0, -1 / 3]]))


def test_it_is_pytorchs_for_negatives_beside_a_positive_at_the_margin():
    """The multi-class hinge with a positive at 0 asks negatives to stay below -margin, as the hinge of a logit does."""
    logits = torch.tensor([[0.0, 0.3, -0.7, -2.0]])
    targets = torch.tensor([[POSITIVE, NEGATIVE, NEGATIVE, NEGATIVE]], dtype=torch.int8)
    theirs = torch.nn.functional.multi_margin_loss(logits, torch.tensor([0]), margin=1.0) * 4
    ours = HingeLoss(margin=1)(logits, targets) * 4 - 1
    torch.testing.assert_close(ours, theirs)


def test_a_margin_is_above_zero():
    with pytest.raises(ValueError, match="margin: expected a number above 0"):
        HingeLoss(margin=0)
