"""Masked reductions, above all for rows without members."""

import math

import pytest
import torch

from margin_bench.losses import masked

VALUES = torch.tensor([[1.0, 5.0, 3.0], [2.0, 4.0, 4.0], [7.0, 8.0, 9.0]])
MASK = torch.tensor([[True, False, True], [False, True, True], [False, False, False]])


def gradient(reduce, values=VALUES, mask=MASK):
    values = values.clone().requires_grad_()
    reduce(values, mask, dim=1).sum().backward()
    return values.grad


def test_mean_is_over_the_members_and_zero_without():
    assert masked.mean(VALUES, MASK, dim=1).tolist() == [2, 4, 0]


def test_mean_hands_gradients_to_the_members_alone():
    expected = [[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 0]]
    assert gradient(masked.mean).tolist() == expected


def test_mean_of_members_does_not_see_a_nan_outside():
    assert masked.mean(torch.tensor([1.0, math.nan]), torch.tensor([True, False]), dim=0) == 1


def test_maximum_is_over_the_members_and_minus_infinity_without():
    assert masked.maximum(VALUES, MASK, dim=1).tolist() == [3, 4, -math.inf]


def test_equal_maxima_share_the_gradient():
    assert gradient(masked.maximum).tolist() == [[0, 0, 1], [0, 0.5, 0.5], [0, 0, 0]]


def test_logsumexp_is_over_the_members_and_minus_infinity_without():
    expected = [math.log(math.exp(1) + math.exp(3)), 4 + math.log(2), -math.inf]
    assert masked.logsumexp(VALUES, MASK, dim=1).tolist() == pytest.approx(expected, rel=1e-6)


def test_the_gradient_of_logsumexp_is_the_softmax_of_the_members():
    small, large = torch.softmax(torch.tensor([1.0, 3.0]), dim=0).tolist()
    expected = torch.tensor([[small, 0, large], [0, 0.5, 0.5], [0, 0, 0]])
    torch.testing.assert_close(gradient(masked.logsumexp), expected)


def test_logsumexp_passes_gradcheck():
    values = VALUES.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: masked.logsumexp(values, MASK, 1)[:2], values)


@pytest.mark.parametrize("reduce", [masked.maximum, masked.logsumexp, masked.mean])
def test_every_dimension_can_be_reduced(reduce):
    torch.testing.assert_close(reduce(VALUES.T, MASK.T, dim=0), reduce(VALUES, MASK, dim=1))


@pytest.mark.parametrize("reduce", [masked.maximum, masked.logsumexp])
def test_a_mask_may_be_of_the_dtype_of_the_values(reduce):
    assert torch.equal(reduce(VALUES, MASK.float(), dim=1), reduce(VALUES, MASK, dim=1))


@pytest.mark.parametrize("reduce", [masked.maximum, masked.logsumexp])
@pytest.mark.parametrize("outside", [-1e30, -1e4, 1e4, 1e30])
def test_what_is_outside_the_mask_has_no_influence(reduce, outside):
    values = VALUES.masked_fill(~MASK, outside)
    assert torch.equal(reduce(values, MASK, dim=1), reduce(VALUES, MASK, dim=1))
    assert torch.equal(gradient(reduce, values), gradient(reduce))
