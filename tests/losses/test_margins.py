"""Margins by hand."""

import math

import torch

from margin_bench.losses.margins import margins
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

P, N, U = POSITIVE, NEGATIVE, UNLABELED
LOGITS = torch.tensor([[5.0, 2.0, 1.0, 9.0], [3.0, 4.0, 0.0, 6.0], [1.0, 1.0, 1.0, 1.0]])
TARGETS = torch.tensor([[P, P, N, U], [P, N, N, N], [U, N, N, N]], dtype=torch.int8)


def test_samples_with_and_without_a_positive():
    """min(5, 2) - 1 = 1; 3 - max(4, 0, 6) = -3; no positive."""
    values, counts = margins(LOGITS, TARGETS, "sample")
    assert values.tolist() == [1, -3, math.inf]
    assert counts.tolist() == [True, True, False]


def test_classes_with_and_without_a_negative():
    """No negative; 2 - max(4, 1) = -2; no positive; no positive."""
    values, counts = margins(LOGITS, TARGETS, "class")
    assert values.tolist() == [math.inf, -2, math.inf, math.inf]
    assert counts.tolist() == [False, True, False, False]


def test_the_joint_margin():
    """min(5, 2, 3) - max(1, 4, 0, 6, 1) = -4."""
    values, counts = margins(LOGITS, TARGETS, "joint")
    assert values.tolist() == [-4]
    assert counts.tolist() == [True]
