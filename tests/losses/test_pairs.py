"""Sums over pairs, by visiting them and by sorting: ties and large groups. Loops are in the tests of the losses."""

import math
from functools import partial

import pytest
import torch

from margin_bench.losses import pairs
from margin_bench.losses.pairs import hinge_rank_sum, hinge_sum
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import random_bucket

FORMS = {
    "power 1": partial(hinge_sum, margin=1.0, power=1),
    "power 2": partial(hinge_sum, margin=1.0, power=2),
    "rank": partial(hinge_rank_sum, margin=1.0),
}
VISITED, SORTED = math.inf, -1


@pytest.fixture(params=[VISITED, SORTED], ids=["visited", "sorted"])
def both_ways(request, monkeypatch):
    monkeypatch.setattr(pairs, "FEW", request.param)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("form", FORMS)
def test_both_ways_of_summing_agree(monkeypatch, form, dim):
    for seed in range(5):
        logits, targets = random_bucket(seed, num_samples=9, num_classes=20, dtype=torch.float64)
        found = []
        for few in (VISITED, SORTED):
            monkeypatch.setattr(pairs, "FEW", few)
            values = logits.clone().requires_grad_()
            sums = FORMS[form](values, targets, dim)
            (sums * torch.arange(len(sums))).sum().backward()
            found.append((sums.detach(), values.grad))
            assert torch.autograd.gradcheck(partial(FORMS[form], targets=targets, dim=dim), values)
        torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_positives", [20, 21])
def test_few_positives_are_visited_and_many_sorted(monkeypatch, num_positives):
    """Twenty for each group, in the mean."""
    called = []
    for name in ("_visited", "_sorted"):
        function = getattr(pairs, name)
        monkeypatch.setattr(pairs, name, lambda *words, name=name, of=function: called.append(name) or of(*words))
    targets = torch.where(torch.arange(40) < num_positives, POSITIVE, NEGATIVE).expand(3, 40)
    hinge_sum(torch.zeros(3, 40), targets, 1, margin=1.0, power=1)
    assert called == ["_visited" if num_positives == 20 else "_sorted"]


def test_a_large_group_is_summed_to_the_last_digits(both_ways):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(1, 20000, generator=generator)
    targets = torch.where(torch.rand(1, 20000, generator=generator) < 0.01, POSITIVE, NEGATIVE)
    positives, negatives = logits[targets == POSITIVE].double(), logits[targets == NEGATIVE].double()
    hinges = (1 - positives[:, None] + negatives).clamp(min=0)
    for power in (1, 2):
        expected = (hinges**power).sum().item()
        value = hinge_sum(logits, targets, 1, margin=1.0, power=power).item()
        assert abs(value - expected) < 1e-5 * expected


def test_pairs_at_the_kink_cost_nothing(both_ways):
    targets = torch.tensor([[POSITIVE, NEGATIVE, POSITIVE, NEGATIVE]])
    for power in (1, 2):
        assert hinge_sum(torch.tensor([[3.0, 2.0, 3.0, 2.0]]), targets, 1, margin=1.0, power=power).item() == 0


def test_squares_are_exact_where_hardly_any_pair_costs_something(both_ways):
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
