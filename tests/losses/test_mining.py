"""The negatives that are mined for each entry of a group."""

import math

import pytest
import torch

from margin_bench.losses.mining import mined_negatives
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

P, N, U = POSITIVE, NEGATIVE, UNLABELED
LOGITS = torch.tensor([[5.0, 4.0, 3.0, 2.0, 9.0], [1.0, 1.0, 2.0, 0.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
TARGETS = torch.tensor([[P, N, P, N, U], [P, N, N, N, P], [P, P, P, U, P]], dtype=torch.int8)
NONE = -math.inf


def mined(mining, seed=0):
    return mined_negatives(LOGITS, TARGETS, 1, mining=mining, seed=seed)


def test_the_hardest_is_the_highest_negative_of_the_group():
    assert mined("hardest").tolist() == [[4] * 5, [2] * 5, [NONE] * 5]


def test_the_semi_hard_one_is_the_highest_that_stands_lower_or_else_the_lowest():
    assert mined("semi_hard").tolist() == [[4, 2, 2, 2, 4], [0, 0, 1, 0, 2], [NONE] * 5]


def test_the_random_one_is_any_negative_with_the_same_probability():
    draws = torch.stack([mined("random", seed) for seed in range(2000)])
    for value, share in ((0, 1 / 3), (1, 1 / 3), (2, 1 / 3)):
        assert ((draws[:, 1] == value).float().mean(0) - share).abs().max() < 0.05
    assert set(draws[:, 0].flatten().tolist()) == {4, 2}
    assert (draws[:, 2] == NONE).all()


def test_random_draws_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = mined("random")
    torch.manual_seed(2)
    assert torch.equal(mined("random"), first)
    assert any(not torch.equal(mined("random", seed), first) for seed in range(1, 5))


@pytest.mark.parametrize("mining", ["hardest", "semi_hard", "random"])
def test_the_gradient_goes_to_the_negative_that_was_mined(mining):
    logits = LOGITS.clone().requires_grad_()
    chosen = mined_negatives(logits, TARGETS, 1, mining=mining, seed=0)
    chosen[(TARGETS == P) & chosen.isfinite()].sum().backward()
    assert logits.grad[TARGETS != N].count_nonzero() == 0
    assert logits.grad.sum().item() == 4  # positives in groups with a negative


@pytest.mark.parametrize("mining", ["hardest", "semi_hard", "random"])
def test_a_group_may_lie_along_either_dimension(mining):
    columns = mined_negatives(LOGITS.T, TARGETS.T, 0, mining=mining, seed=0)
    assert torch.equal(columns, mined(mining).T)
