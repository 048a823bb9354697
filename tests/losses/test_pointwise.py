"""The mean over labeled entries."""

import pytest
import torch

from margin_bench.losses import BCELoss, SquaredHingeLoss
from margin_bench.losses.pointwise import PointwiseLoss, mean_over_labeled, wrong_side
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.entries import assert_same
from tests.helpers.loops import random_bucket


def test_the_mean_is_over_the_labeled_entries():
    """Entries 1, 2, 3 and 4, of which 3 is unlabeled: 7 / 3."""
    targets = torch.tensor([[POSITIVE, NEGATIVE], [UNLABELED, NEGATIVE]], dtype=torch.int8)
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert mean_over_labeled(lambda logits, targets: logits, values, targets).item() == pytest.approx(7 / 3)


@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (3, 0)])
def test_nothing_labeled_costs_zero_with_a_gradient(shape):
    targets = torch.full(shape, UNLABELED, dtype=torch.int8)
    logits = torch.ones(shape, requires_grad=True)
    loss = BCELoss()(logits, targets)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(shape))


@pytest.mark.parametrize(("given", "computed"), [(torch.float16, torch.float32), (torch.float64, torch.float64)])
def test_the_criterion_gets_float32_at_least(given, computed):
    seen = []
    targets = torch.zeros(2, 2, dtype=torch.int8)
    mean_over_labeled(lambda x, y: seen.append(x.dtype) or x, torch.ones(2, 2, dtype=given), targets)
    assert seen == [computed]


def test_the_label_says_which_side_is_wrong():
    targets = torch.tensor([[POSITIVE, NEGATIVE]], dtype=torch.int8)
    assert wrong_side(torch.tensor([[2.0, 3.0]]), targets).tolist() == [[-2, 3]]


def test_the_scale_is_a_factor_on_value_and_gradient():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    plain, scaled = (PointwiseLoss(lambda x, y: x.square(), scale=scale) for scale in (1.0, 80.0))
    assert_same(scaled, lambda logits, targets: 80 * plain(logits, targets), logits, targets, targets)


def test_a_tensor_among_the_parameters_goes_where_the_module_goes():
    loss = PointwiseLoss(lambda x, y, weights: weights * x, weights=torch.tensor([1.0, 3.0])).double()
    logits, targets = torch.tensor([[2.0, 4.0]], dtype=torch.float64), torch.tensor([[POSITIVE, NEGATIVE]])
    assert loss(logits, targets).item() == 7
    assert "weights=tensor([1., 3.], dtype=torch.float64)" in repr(loss)


def test_repr_shows_the_parameters():
    assert repr(SquaredHingeLoss(margin=2.0)) == "SquaredHingeLoss(margin=2.0)"


def test_targets_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="expected integers"):
        BCELoss()(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="one shape"):
        BCELoss()(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int8))
