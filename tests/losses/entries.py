"""What the tests of point-wise losses share: a loop over the labelled entries in plain Python numbers, and buckets."""

import math

import torch

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED


def mean_over_entries(cost, logits, targets):
    """Mean of `cost(x, is_positive, row, column)` over the labelled entries; 0 if there are none."""
    costs = [
        cost(logit, target == POSITIVE, row, column)
        for row, (logit_row, target_row) in enumerate(zip(logits.tolist(), targets.tolist(), strict=True))
        for column, (logit, target) in enumerate(zip(logit_row, target_row, strict=True))
        if target != UNLABELED
    ]
    return math.fsum(costs) / max(len(costs), 1)


def right(x, is_positive):
    """The logit, of a negative with the opposite sign."""
    return x if is_positive else -x


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def random_bucket(labels=(POSITIVE, NEGATIVE, NEGATIVE, UNLABELED), num_samples=7, num_classes=6):
    """Logits, float64, and targets drawn from the labels."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(num_samples, num_classes, generator=generator, dtype=torch.float64)
    drawn = torch.randint(len(labels), logits.shape, generator=generator)
    return logits, torch.tensor(labels, dtype=torch.int8)[drawn]


def labelled_bucket():
    """As `random_bucket`, and every entry is labelled."""
    return random_bucket(labels=(POSITIVE, NEGATIVE, NEGATIVE))


def gradient(loss, logits, targets):
    logits = logits.clone().requires_grad_()
    loss(logits, targets).backward()
    return logits.grad


def assert_same(loss, other, logits, targets, other_targets, rtol=1e-12):
    """Two losses have the same value and the same gradient."""
    torch.testing.assert_close(loss(logits, targets), other(logits, other_targets), rtol=rtol, atol=0)
    torch.testing.assert_close(
        gradient(loss, logits, targets), gradient(other, logits, other_targets), rtol=rtol, atol=1e-15
    )
