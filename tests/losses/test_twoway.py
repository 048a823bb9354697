"""The two-way loss, held against loops over groups in plain Python numbers, torch's cross-entropy and timm's loss."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from timm.loss import TwoWayLoss as TimmTwoWay

from margin_bench.losses import TwoWayLoss
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.loops import WAYS, loss_and_gradient, mean_over_groups, random_bucket

TEMPERATURES = [0, 0.25, 1, 4]


def hard_logit(logits, temperature):
    """Return T log sum exp(x / T) of a list and its gradient; the maximum for T = 0."""
    largest = max(logits)
    if temperature == 0:
        return largest, [float(x == largest) / logits.count(largest) for x in logits]
    exponentials = [math.exp((x - largest) / temperature) for x in logits]
    total = sum(exponentials)
    return largest + temperature * math.log(total), [e / total for e in exponentials]


def group_loss(logits, targets, t_p, t_n, bias, denominator):
    """Return eq. 14 for one group as a list of numbers, and its gradient; None if it does not count."""
    positives = [i for i, target in enumerate(targets) if target == POSITIVE]
    negatives = [i for i, target in enumerate(targets) if target == NEGATIVE]
    if not positives or not negatives:
        return (0.0, [0.0] * len(logits)) if positives and denominator == "positive" else None
    hard_positive, positive_weights = hard_logit([-logits[i] for i in positives], t_p)
    hard_negative, negative_weights = hard_logit([logits[i] for i in negatives], t_n)
    difference = hard_positive + hard_negative + bias
    softplus = max(difference, 0) + math.log1p(math.exp(-abs(difference)))
    slope = math.exp(difference - softplus)  # the sigmoid
    gradient = [0.0] * len(logits)
    for i, weight in zip(positives, positive_weights, strict=True):
        gradient[i] = -slope * weight
    for i, weight in zip(negatives, negative_weights, strict=True):
        gradient[i] = slope * weight
    return softplus, gradient


def loops(logits, targets, way, t_p, t_n, bias=0.0, denominator="both_sides"):
    """Return the loss and its gradient in float64, group by group."""
    num_samples, num_classes = logits.shape
    rows = [[(i, c) for c in range(num_classes)] for i in range(num_samples)]
    columns = [[(i, c) for i in range(num_samples)] for c in range(num_classes)]
    everything = [[entry for row in rows for entry in row]]
    loss, gradient = 0.0, torch.zeros(logits.shape, dtype=torch.float64)
    for groups in {"sample": [rows], "class": [columns], "both": [rows, columns], "joint": [everything]}[way]:
        results = []
        for group in groups:
            values, labels = ([tensor[entry].item() for entry in group] for tensor in (logits, targets))
            result = group_loss(values, labels, t_p, t_n, bias, denominator)
            if result is not None:
                results.append((group, *result))
        for group, value, slopes in results:
            loss += value / len(results)
            for entry, slope in zip(group, slopes, strict=True):
                gradient[entry] += slope / len(results)
    return loss, gradient


def reference(logits, targets, way, positive_temperature, negative_temperature, logit_bias, denominator):
    return loops(logits, targets, way, positive_temperature, negative_temperature, logit_bias, denominator)[0]


@pytest.mark.parametrize("negative_temperature", TEMPERATURES)
@pytest.mark.parametrize("positive_temperature", TEMPERATURES)
@pytest.mark.parametrize("way", WAYS)
def test_loss_and_gradient_agree_with_loops(way, positive_temperature, negative_temperature):
    for seed in range(3):
        logits, targets = random_bucket(seed)
        loss = TwoWayLoss(positive_temperature, negative_temperature, way, logit_bias=0.5)
        value, gradient = loss_and_gradient(loss, logits, targets)
        expected, slopes = loops(logits, targets, way, positive_temperature, negative_temperature, bias=0.5)
        assert value.dtype == gradient.dtype == torch.float32
        assert value.item() == pytest.approx(expected, rel=1e-6)
        torch.testing.assert_close(gradient.double(), slopes, rtol=0, atol=1e-6 * slopes.abs().max().item())


@pytest.mark.parametrize("temperatures", [(4, 1), (0.25, 2), (0, 0)])
@pytest.mark.parametrize("way", WAYS)
def test_gradcheck_in_float64(way, temperatures):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = TwoWayLoss(*temperatures, way, logit_bias=1.0)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), logits.requires_grad_())


@pytest.mark.parametrize("way", WAYS)
def test_as_temperatures_vanish_the_lowest_positive_and_the_highest_negative_remain(way):
    def cost(positives, negatives):
        return math.log1p(math.exp(max(negatives) - min(positives)))

    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    expected = mean_over_groups(cost, logits, targets, way)
    for temperature in (1e-6, 0):
        loss = TwoWayLoss(temperature, temperature, way)
        assert loss(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_equal_hardest_logits_share_the_gradient_at_temperature_zero():
    """Softplus(1 - 1) has the slope 1/2, shared by two positives and by two negatives."""
    targets = torch.tensor([[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]], dtype=torch.int8)
    _, gradient = loss_and_gradient(TwoWayLoss(0, 0, "sample"), torch.ones(1, 4), targets)
    assert gradient.tolist() == [[-0.25, -0.25, 0.25, 0.25]]


@pytest.mark.parametrize("temperature", [0, 0.1, 1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_unlabeled_logits_have_no_influence_and_no_gradient(way, temperature):
    loss = TwoWayLoss(temperature, temperature, way)
    logits, targets = random_bucket(seed=0)
    unlabeled = targets == UNLABELED
    value, gradient = loss_and_gradient(loss, logits, targets)
    assert gradient[unlabeled].count_nonzero() == 0
    for other in (-1e4, 1e4):
        changed, changed_gradient = loss_and_gradient(loss, logits.masked_fill(unlabeled, other), targets)
        assert torch.equal(changed, value)
        assert torch.equal(changed_gradient, gradient)


@pytest.mark.parametrize("temperatures", [(0, 0), (0.1, 0.1), (4, 1), (100, 100)])
@pytest.mark.parametrize("way", WAYS)
def test_logits_of_ten_thousand_stay_finite(way, temperatures):
    """A difference of such logits is rounded to eps * 1e4, and the slope changes by at most a quarter of that."""
    logits, targets = random_bucket(seed=0)
    value, gradient = loss_and_gradient(TwoWayLoss(*temperatures, way), 1e4 * logits.sign(), targets)
    expected, slopes = loops(1e4 * logits.sign(), targets, way, *temperatures)
    assert value.item() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(gradient.double(), slopes, rtol=0, atol=torch.finfo(torch.float32).eps * 1e4 / 4)


def test_a_group_ranked_right_by_ten_thousand_costs_nothing():
    targets = torch.tensor([[POSITIVE, NEGATIVE]], dtype=torch.int8)
    value, gradient = loss_and_gradient(TwoWayLoss(), torch.tensor([[1e4, -1e4]]), targets)
    assert value.item() == 0
    assert gradient.tolist() == [[0, 0]]


@given(seed=st.integers(0, 1000), way=st.sampled_from(WAYS), shift=st.floats(-100, 100))
def test_a_shift_of_all_logits_does_not_matter(seed, way, shift):
    logits, targets = random_bucket(seed, dtype=torch.float64)
    loss = TwoWayLoss(2, 0.5, way)
    torch.testing.assert_close(loss(logits + shift, targets), loss(logits, targets), rtol=1e-11, atol=0)


def test_one_positive_per_sample_makes_it_cross_entropy():
    """Eq. 3: with temperatures of 1 the loss of a single-label sample is the softmax loss."""
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 5
    targets = F.one_hot(labels, 5).to(torch.int8)
    value, gradient = loss_and_gradient(TwoWayLoss(1, 1, "sample"), logits, targets)
    expected, slopes = loss_and_gradient(F.cross_entropy, logits, labels)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, slopes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("temperatures", [(4, 1), (1, 0.5)])
def test_it_is_timms_where_every_group_has_both_labels(temperatures):
    """timm counts groups without a negative too."""
    logits, _ = random_bucket(seed=0)
    targets = torch.where((torch.arange(7)[:, None] + torch.arange(6)) % 3 == 0, POSITIVE, NEGATIVE)
    value, gradient = loss_and_gradient(TwoWayLoss(*temperatures), logits, targets)
    expected, slopes = loss_and_gradient(TimmTwoWay(*temperatures), logits, targets)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, slopes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("temperatures", [(4, 1), (1, 0.5)])
def test_over_the_groups_with_a_positive_it_is_timms_whatever_the_labels(temperatures):
    """timm takes what is unlabeled for a negative, so here nothing is."""
    logits, targets = random_bucket(seed=0)
    targets = torch.where(targets == UNLABELED, NEGATIVE, targets)
    targets[:, 0], targets[0] = POSITIVE, NEGATIVE
    targets[1] = POSITIVE  # neither this sample nor, without the first, class 0 has a negative
    logits, targets = logits[1:], targets[1:]
    value, gradient = loss_and_gradient(TwoWayLoss(*temperatures, denominator="positive"), logits, targets)
    expected, slopes = loss_and_gradient(TimmTwoWay(*temperatures), logits, targets)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, slopes, rtol=0, atol=1e-7)
    assert value < TwoWayLoss(*temperatures)(logits, targets)


@pytest.mark.parametrize("way", WAYS)
def test_over_the_groups_with_a_positive_it_agrees_with_loops(way):
    for seed in range(3):
        logits, targets = random_bucket(seed)
        targets[:, 0] = torch.where(targets[:, 0] == NEGATIVE, UNLABELED, POSITIVE)  # a class without negatives
        value, gradient = loss_and_gradient(TwoWayLoss(4, 1, way, denominator="positive"), logits, targets)
        expected, slopes = loops(logits, targets, way, 4, 1, denominator="positive")
        assert value.item() == pytest.approx(expected, rel=1e-6)
        torch.testing.assert_close(gradient.double(), slopes, rtol=0, atol=1e-6 * slopes.abs().max().item())


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_wider_integers_are_the_same_targets(dtype):
    logits, targets = random_bucket(seed=0)
    assert torch.equal(TwoWayLoss()(logits, targets.to(dtype)), TwoWayLoss()(logits, targets))


@pytest.mark.parametrize("way", WAYS)
def test_logits_need_not_be_contiguous(way):
    logits, targets = random_bucket(seed=0)
    strided = torch.stack([logits, logits], dim=2)[:, :, 0]
    value, gradient = loss_and_gradient(TwoWayLoss(way=way), strided, targets)
    expected, slopes = loss_and_gradient(TwoWayLoss(way=way), logits, targets)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, slopes)


@pytest.mark.parametrize("temperature", [-1, math.nan, math.inf])
@pytest.mark.parametrize("side", ["positive_temperature", "negative_temperature"])
def test_a_temperature_must_be_a_number_of_at_least_zero(side, temperature):
    with pytest.raises(ValueError, match=f"{side}: expected a number of at least 0, got {temperature}"):
        TwoWayLoss(**{side: temperature})


def test_a_denominator_must_be_one_of_two():
    with pytest.raises(ValueError, match="denominator: expected both_sides or positive, got 'all'"):
        TwoWayLoss(denominator="all")


def test_a_bias_must_be_finite():
    with pytest.raises(ValueError, match="logit_bias: expected a finite number, got nan"):
        TwoWayLoss(logit_bias=math.nan)


def test_repr_shows_the_parameters():
    assert repr(TwoWayLoss(2.0, 0.5, "class", 1.0)) == (
        "TwoWayLoss(positive_temperature=2.0, negative_temperature=0.5, way='class', logit_bias=1.0, "
        "denominator='both_sides')"
    )
