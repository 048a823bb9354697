"""The hinge loss of each logit."""

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import HingeLoss
from margin_bench.targets import POSITIVE
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, right
from tests.helpers.loops import loss_and_gradient, random_bucket


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


def test_it_is_pytorchs_hinge_of_the_side_of_each_logit():
    """HingeEmbeddingLoss takes distances, of which those labeled -1 are to exceed the margin."""

    def theirs(logits, signs):
        return F.hinge_embedding_loss(logits * signs, torch.tensor(-1), margin=0.5)

    logits, targets = labeled_bucket()
    assert_same(HingeLoss(margin=0.5), theirs, logits, targets, 2 * targets - 1)


def test_a_margin_is_above_zero():
    with pytest.raises(ValueError, match="margin: expected a number above 0"):
        HingeLoss(margin=0)
