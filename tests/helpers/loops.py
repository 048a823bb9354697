"""Random buckets, and loops over groups in plain Python numbers that losses are held against."""

from functools import partial

import pytest
import torch

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

WAYS = ("sample", "class", "both", "joint")


def random_bucket(seed, num_samples=7, num_classes=6, scale=3.0, dtype=torch.float32):
    """Return logits, and targets with unlabeled entries, groups without a negative and groups without a positive.

    Row and column 0 have no negative, row and column 1 no positive.
    """
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(num_samples, num_classes, generator=generator, dtype=torch.float64)
    labels = torch.tensor([POSITIVE, NEGATIVE, NEGATIVE, UNLABELED], dtype=torch.int8)
    targets = labels[torch.randint(4, logits.shape, generator=generator)]
    for row, column, present, absent in ((0, 0, POSITIVE, NEGATIVE), (1, 1, NEGATIVE, POSITIVE)):
        targets[row][targets[row] == absent] = present
        targets[:, column][targets[:, column] == absent] = present
    return logits.to(dtype), targets


def mean_over_groups(cost, logits, targets, way):
    """Return the mean of `cost(positives, negatives)`, of two lists of logits, over the groups that have both."""
    rows = list(zip(logits.tolist(), targets.tolist(), strict=True))
    columns = list(zip(logits.T.tolist(), targets.T.tolist(), strict=True))
    everything = [([x for row in logits.tolist() for x in row], [t for row in targets.tolist() for t in row])]
    total = 0.0
    for groups in {"sample": [rows], "class": [columns], "both": [rows, columns], "joint": [everything]}[way]:
        costs = []
        for group in groups:
            positives = [x for x, target in zip(*group, strict=True) if target == POSITIVE]
            negatives = [x for x, target in zip(*group, strict=True) if target == NEGATIVE]
            if positives and negatives:
                costs.append(cost(positives, negatives))
        total += sum(costs) / max(len(costs), 1)
    return total


def loss_and_gradient(loss, logits, targets):
    """Return the value of a loss and its gradient with respect to the logits."""
    logits = logits.clone().requires_grad_()
    value = loss(logits, targets)
    value.backward()
    return value.detach(), logits.grad


def assert_agrees_with_loops(loss_class, reference, way, **parameters):
    """Assert that a loss has the value of `reference(logits, targets, way, **parameters)`, and the slope of its own."""
    loss = loss_class(**parameters, way=way)
    for seed in range(3):
        logits, targets = random_bucket(seed, dtype=torch.float64)
        assert loss(logits, targets).item() == pytest.approx(reference(logits, targets, way, **parameters), rel=1e-12)
        assert torch.autograd.gradcheck(partial(loss, targets=targets), logits.requires_grad_())
