"""The binary cross-entropy."""

import pytest
import torch

from margin_bench.losses import BCELoss
from tests.helpers.entries import assert_same, labeled_bucket, mean_over_entries, right, softplus
from tests.helpers.loops import random_bucket


def reference(logits, targets, way=None):
    return mean_over_entries(lambda x, is_positive, *_: softplus(-right(x, is_positive)), logits, targets)


def test_it_agrees_with_loops():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert BCELoss()(logits, targets).item() == pytest.approx(reference(logits, targets), rel=1e-12)


@pytest.mark.parametrize("theirs", [torch.nn.BCEWithLogitsLoss(), torch.nn.MultiLabelSoftMarginLoss()])
def test_it_is_pytorchs(theirs):
    logits, targets = labeled_bucket()
    assert_same(BCELoss(), theirs, logits, targets, targets.double())


def test_a_shift_of_all_logits_matters():
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    assert BCELoss()(logits + 1, targets) != BCELoss()(logits, targets)
