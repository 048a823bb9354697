"""A loop over the labeled entries in plain Python numbers that point-wise losses are held against, and buckets."""

import math

import torch

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.loops import loss_and_gradient, random_bucket


def mean_over_entries(cost, logits, targets):
    """Return the mean of `cost(x, is_positive, row, column)` over the labeled entries; 0 if there are none."""
    costs = [
        cost(logit, target == POSITIVE, row, column)
        for row, (logit_row, target_row) in enumerate(zip(logits.tolist(), targets.tolist(), strict=True))
        for column, (logit, target) in enumerate(zip(logit_row, target_row, strict=True))
        if target != UNLABELED
    ]
    return math.fsum(costs) / max(len(costs), 1)


def right(x, is_positive):
    """Return the logit, with the opposite sign for a negative: how far it lies on its right side of zero."""
    return x if is_positive else -x


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), also where exp(-x) would overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    """Return log(1 + exp(x)), also where exp(x) would overflow."""
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def labeled_bucket():
    """Return a random bucket in float64 whose entries are all labeled."""
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    return logits, targets.masked_fill(targets == UNLABELED, NEGATIVE)


def assert_same(loss, other, logits, targets, other_targets, rtol=1e-12, atol=1e-15):
    """Assert that two losses have the same value and, up to `atol` too, the same gradient."""
    value, gradient = loss_and_gradient(loss, logits, targets)
    other_value, other_gradient = loss_and_gradient(other, logits, other_targets)
    torch.testing.assert_close(value, other_value, rtol=rtol, atol=0)
    torch.testing.assert_close(gradient, other_gradient, rtol=rtol, atol=atol)
