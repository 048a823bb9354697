"""The structured hinge against its maximum over all label sets, and with one positive."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import CrammerSingerLoss, StructuredHingeLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, margin):
    def by_swaps(positives, negatives):
        """Pair the k-th lowest positive with the k-th highest negative."""
        pairs = zip(sorted(positives), sorted(negatives, reverse=True), strict=False)
        return sum(max(0, 2 * margin - p + n) for p, n in pairs) / len(positives)

    def by_enumeration(positives, negatives):
        """Look for the most violating of all label sets of the size of the right one."""
        right = set(range(len(positives)))
        scores = positives + negatives
        best = max(
            margin * len(right.symmetric_difference(labels)) + sum(scores[i] for i in labels)
            for labels in itertools.combinations(range(len(scores)), len(right))
        )
        return (best - sum(positives)) / len(positives)

    return mean_over_groups(by_swaps if way == "joint" else by_enumeration, logits, targets, way)


def test_one_positive_makes_it_crammer_and_singers():
    logits, _ = random_bucket(seed=0)
    targets = F.one_hot(torch.arange(7) % 6, 6)
    value, gradient = loss_and_gradient(StructuredHingeLoss(margin=0.5, way="sample"), logits, targets)
    expected, slopes = loss_and_gradient(CrammerSingerLoss(margin=1.0, power=1, way="sample"), logits, targets)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, slopes)


def test_more_positives_than_negatives_leave_some_without_a_swap():
    """The lowest positive against the one negative: 1 - 0 + 2 = 3, over three positives."""
    targets = torch.tensor([[POSITIVE, POSITIVE, POSITIVE, NEGATIVE]])
    value, gradient = loss_and_gradient(
        StructuredHingeLoss(margin=0.5, way="sample"), torch.tensor([[1.0, 0.0, 5.0, 2.0]]), targets
    )
    assert value.item() == pytest.approx(1)
    assert gradient[0].tolist() == pytest.approx([0, -1 / 3, 0, 1 / 3])
