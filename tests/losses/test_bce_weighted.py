"""The binary cross-entropy weighted by class frequencies."""

import pytest
import torch

from margin_bench.losses import BCELoss, WeightedBCELoss
from margin_bench.losses.bce_weighted import weights_of_classes
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, right, softplus
from tests.helpers.loops import random_bucket

FREQUENCIES = torch.tensor([[1, 2, 3, 10, 50, 0], [99, 8, 3, 90, 50, 20]])


def reference(logits, targets, way=None, *, class_frequencies, rarity_exponent):
    pairs = [(max(num_positives, 1), num_negatives) for num_positives, num_negatives in class_frequencies.T.tolist()]
    rarities = [num_positives**-rarity_exponent for num_positives, _ in pairs]

    def cost(x, is_positive, _, column):
        num_positives, num_negatives = pairs[column]
        rarity = rarities[column] * len(rarities) / sum(rarities)
        share = (num_negatives if is_positive else num_positives) / (num_positives + num_negatives)
        return rarity * 2 * share * softplus(-right(x, is_positive))

    return mean_over_entries(cost, logits, targets)


@pytest.mark.parametrize("rarity_exponent", [0, 0.1, 1])
def test_it_agrees_with_loops(rarity_exponent):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    parameters = {"class_frequencies": FREQUENCIES, "rarity_exponent": rarity_exponent}
    expected = reference(logits, targets, **parameters)
    assert WeightedBCELoss(**parameters)(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_it_is_pytorchs_with_its_weights():
    logits, targets = labeled_bucket()
    positive_weights, negative_weights = weights_of_classes(FREQUENCIES, 0.1)
    theirs = torch.nn.BCEWithLogitsLoss(weight=negative_weights, pos_weight=positive_weights / negative_weights)
    ours = WeightedBCELoss(rarity_exponent=0.1, class_frequencies=FREQUENCIES)
    assert_same(ours, theirs, logits, targets, targets.double())


def test_both_sides_of_a_class_weigh_the_same_in_all():
    """A class of 1 positive and 99 negatives: 1 x 2 x 0.99 on the one side, 99 x 2 x 0.01 on the other."""
    positive_weights, negative_weights = weights_of_classes(FREQUENCIES[:, :5], 0.0)
    assert positive_weights[0].item() == pytest.approx(1.98)
    assert negative_weights[0].item() == pytest.approx(0.02)
    torch.testing.assert_close(FREQUENCIES[0, :5] * positive_weights, FREQUENCIES[1, :5] * negative_weights)


def test_balanced_classes_make_it_the_plain_loss():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    ours = WeightedBCELoss(rarity_exponent=0.1, class_frequencies=torch.full((2, 6), 30))
    assert_same(ours, BCELoss(), logits, targets, targets)


@pytest.mark.parametrize("rarity_exponent", [-1, float("nan")])
def test_an_exponent_is_at_least_zero(rarity_exponent):
    with pytest.raises(ValueError, match="rarity_exponent: expected a number of at least 0"):
        WeightedBCELoss(rarity_exponent=rarity_exponent, class_frequencies=FREQUENCIES)


def test_repr_shows_the_parameters():
    assert "rarity_exponent=0.1" in repr(WeightedBCELoss(rarity_exponent=0.1, class_frequencies=FREQUENCIES))
