"""What a group is in each way, and which groups count."""

import math

import pytest
import torch

from margin_bench.losses.ways import check_way, groups, mean_over_groups
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

P, N, U = POSITIVE, NEGATIVE, UNLABELED
LOGITS = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
TARGETS = torch.tensor([[P, N, N], [N, P, N]], dtype=torch.int8)


def total(logits, targets, dim):
    """Return the sum of the logits of each group, which tells what is in it."""
    return logits.sum(dim)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("sample", (7 + 56) / 2),
        ("class", (9 + 18) / 2),  # the last class has no positive
        ("both", (7 + 56) / 2 + (9 + 18) / 2),
        ("joint", 63),
    ],
)
def test_the_groups_of_each_way(way, expected):
    assert mean_over_groups(total, LOGITS, TARGETS, way).item() == expected


@pytest.mark.parametrize("row", [[P, P, U], [N, N, U], [U, U, U]])
def test_a_group_without_a_positive_or_a_negative_does_not_count(row):
    targets = torch.tensor([[P, N, N], row], dtype=torch.int8)
    assert mean_over_groups(total, LOGITS, targets, "sample").item() == 7


def test_the_value_of_a_group_that_does_not_count_is_not_used():
    def undefined_without_positives(logits, targets, dim):
        return torch.where((targets == P).any(dim), logits.sum(dim), math.nan)

    assert mean_over_groups(undefined_without_positives, LOGITS, TARGETS, "class").item() == (9 + 18) / 2


@pytest.mark.parametrize("way", ["sample", "class", "both", "joint"])
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0)])
def test_no_group_that_counts_costs_zero_with_a_gradient(way, shape):
    logits = torch.ones(shape, requires_grad=True)
    loss = mean_over_groups(total, logits, torch.full(shape, U, dtype=torch.int8), way)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(shape))


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_logits_are_computed_in_float32_at_least(given, computed):
    assert groups(LOGITS.to(given), TARGETS, "both")[0].dtype == computed


def test_an_unknown_way_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="one of sample, class, both, joint, got 'rows'"):
        check_way("rows")


def test_wrong_targets_are_refused():
    with pytest.raises(TypeError, match="expected integers"):
        groups(LOGITS, TARGETS.bool(), "both")
