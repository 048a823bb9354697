"""The generalised end-to-end loss against loops, in both forms."""

import math

import pytest
import torch
import torch.nn.functional as F

from margin_bench.losses import GE2ELoss
from tests.helpers.entries import sigmoid
from tests.helpers.loops import WAYS, mean_over_groups, random_bucket


def reference(logits, targets, way, form, bias):
    def softmax(positives, negatives):
        others = math.fsum(math.exp(x + bias) for x in negatives)
        return math.fsum(math.log(math.exp(x + bias) + others) - x - bias for x in positives) / len(positives)

    def contrast(positives, negatives):
        own = math.fsum(1 - sigmoid(x + bias) for x in positives) / len(positives)
        return own + max(sigmoid(x + bias) for x in negatives)

    return mean_over_groups({"softmax": softmax, "contrast": contrast}[form], logits, targets, way)


def test_single_labels_make_the_softmax_form_cross_entropy():
    logits, _ = random_bucket(seed=0)
    labels = torch.arange(7) % 6
    loss = GE2ELoss(form="softmax", bias=-5.0, way="sample")
    torch.testing.assert_close(loss(logits, F.one_hot(labels, 6)), F.cross_entropy(logits, labels))


@pytest.mark.parametrize("way", WAYS)
def test_the_contrast_form_agrees_with_loops(way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = GE2ELoss(form="contrast", bias=-2.0, way=way)
    expected = reference(logits, targets, way, "contrast", -2.0)
    assert loss(logits, targets).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), logits.requires_grad_())


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form: expected one of softmax, contrast, got 'triplet'"):
        GE2ELoss(form="triplet", bias=0.0)
