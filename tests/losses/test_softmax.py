"""The softmax loss against loops, and against torch's for single labels."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import SoftmaxLoss
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.loops import loss_and_gradient, mean_over_groups, random_bucket


def reference(logits, targets, way, form):
    def cost(positives, negatives):
        total = math.fsum(math.exp(x) for x in positives + negatives)
        label = 1 / len(positives)
        entropy = math.log(len(positives)) if form == "kl" else 0
        return -math.fsum(label * math.log(math.exp(x) / total) for x in positives) - entropy

    return mean_over_groups(cost, logits, targets, way)


def test_single_labels_make_it_cross_entropy():
    logits, _ = random_bucket(seed=0)
    labels = torch.arange(7) % 6
    targets = F.one_hot(labels, 6).to(torch.int8)
    for form in ("cross_entropy", "kl"):
        value, gradient = loss_and_gradient(SoftmaxLoss(form=form, way="sample"), logits, targets)
        expected, slopes = loss_and_gradient(F.cross_entropy, logits, labels)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient, slopes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("way", ["sample", "class", "both", "joint"])
def test_kl_differs_from_cross_entropy_by_the_entropy_of_the_labels_alone(way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    _, gradient = loss_and_gradient(SoftmaxLoss(form="kl", way=way), logits, targets)
    _, expected = loss_and_gradient(SoftmaxLoss(form="cross_entropy", way=way), logits, targets)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)
    assert SoftmaxLoss(form="kl", way=way)(logits, targets).item() == pytest.approx(
        reference(logits, targets, way, "kl"), rel=1e-12
    )


def test_kl_is_torchs_on_normalised_labels():
    logits, _ = random_bucket(seed=0)
    targets = torch.full((7, 6), NEGATIVE)
    targets[:, :2] = POSITIVE
    expected = F.kl_div(logits.log_softmax(1), targets / 2.0, reduction="batchmean")
    torch.testing.assert_close(SoftmaxLoss(form="kl", way="sample")(logits, targets), expected)


def test_kl_of_a_perfect_fit_is_zero():
    targets = torch.tensor([[POSITIVE, POSITIVE, NEGATIVE]])
    logits = torch.tensor([[50.0, 50.0, -50.0]], dtype=torch.float64)
    assert SoftmaxLoss(form="kl", way="sample")(logits, targets).item() == pytest.approx(0)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form: expected one of cross_entropy, kl, got 'js'"):
        SoftmaxLoss(form="js")
