"""Sums over pairs by sorting: ties and large groups. That they agree with loops is tested with the losses."""

import torch

from margin_bench.losses.pairs import hinge_sum
from margin_bench.targets import NEGATIVE, POSITIVE


def test_a_large_group_is_summed_to_the_last_digits():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(1, 20000, generator=generator)
    targets = torch.where(torch.rand(1, 20000, generator=generator) < 0.01, POSITIVE, NEGATIVE)
    positives, negatives = logits[targets == POSITIVE].double(), logits[targets == NEGATIVE].double()
    hinges = (1 - positives[:, None] + negatives).clamp(min=0)
    for power in (1, 2):
        expected = (hinges**power).sum().item()
        value = hinge_sum(logits, targets, 1, margin=1.0, power=power).item()
        assert abs(value - expected) < 1e-5 * expected


def test_pairs_at_the_kink_cost_nothing():
    targets = torch.tensor([[POSITIVE, NEGATIVE, POSITIVE, NEGATIVE]])
    for power in (1, 2):
        assert hinge_sum(torch.tensor([[3.0, 2.0, 3.0, 2.0]]), targets, 1, margin=1.0, power=power).item() == 0


def test_squares_are_exact_where_hardly_any_pair_costs_something():
    generator = torch.Generator().manual_seed(0)
    targets = torch.where(torch.rand(128, 80, generator=generator) < 0.05, POSITIVE, NEGATIVE)
    logits = torch.randn(128, 80, generator=generator) + 6 * (targets == POSITIVE)
    for dim in (0, 1):
        values = [each.requires_grad_() for each in (logits.clone(), logits.double())]
        single, double = (hinge_sum(each, targets, dim, margin=1.0, power=2) for each in values)
        torch.testing.assert_close(single, double.float(), rtol=1e-4, atol=1e-9)
        single.sum().backward()
        double.sum().backward()
        torch.testing.assert_close(values[0].grad, values[1].grad.float(), rtol=1e-4, atol=1e-5)
