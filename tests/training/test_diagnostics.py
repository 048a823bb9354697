"""What the statistics of buckets say, held against numpy and against losses of one way."""

import numpy as np
import pytest
import torch

from margin_bench.losses import TwoWayLoss
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from margin_bench.training.diagnostics import QUANTILES, STATISTICS, bucket_statistics, loss_statistics, summary

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(40, 12, generator=GENERATOR)
TARGETS = torch.tensor([POSITIVE, NEGATIVE, NEGATIVE, UNLABELED], dtype=torch.int8)[
    torch.randint(4, (40, 12), generator=GENERATOR)
]
TARGETS[0] = NEGATIVE  # a sample that does not count


def loss_without_ways(logits, targets):
    return logits.square().mean()


def statistics_of(loss, logits=LOGITS, targets=TARGETS):
    logits = logits.clone().requires_grad_()
    value = loss(logits, targets)
    (gradient,) = torch.autograd.grad(value, logits)
    return bucket_statistics(getattr(loss, "way", None), logits, targets, value, gradient)


def gradient_norm(loss):
    logits = LOGITS.clone().requires_grad_()
    loss(logits, TARGETS).backward()
    return logits.grad.norm().item()


def margins_by_hand(logits, targets):
    margins = []
    for row, labels in zip(logits.numpy(), targets.numpy(), strict=True):
        if (labels == POSITIVE).any() and (labels == NEGATIVE).any():
            margins.append(row[labels == POSITIVE].min() - row[labels == NEGATIVE].max())
    return np.array(margins)


def test_margins_and_violations_are_those_of_numpy():
    entry = summary(statistics_of(TwoWayLoss()).tolist())
    for groups, logits, targets in (("samples", LOGITS, TARGETS), ("classes", LOGITS.T, TARGETS.T)):
        margins = margins_by_hand(logits, targets)
        assert entry[f"violating_{groups}"] == pytest.approx((margins < 0).mean())
        assert entry[f"counting_{groups}"] == pytest.approx(len(margins) / len(logits))
        for quantile, name in zip(QUANTILES, ("margin_05", "margin_50", "margin_95"), strict=True):
            assert entry[f"{name}_{groups}"] == pytest.approx(np.quantile(margins, quantile), abs=1e-5)


def test_the_gradient_norm_is_that_of_the_loss():
    entry = summary(statistics_of(TwoWayLoss(way="both")).tolist())
    assert entry["gradient_norm"] == pytest.approx(gradient_norm(TwoWayLoss(way="both")))


def test_a_bucket_that_is_not_measured_tells_its_loss_alone():
    value = torch.tensor(2.0, requires_grad=True)
    assert summary(loss_statistics(value).tolist()) == {"loss": 2.0}
    measured = statistics_of(TwoWayLoss(way="class"))
    both, alone = summary((loss_statistics(value) + measured).tolist()), summary(measured.tolist())
    assert both.pop("loss") == pytest.approx((2 + alone.pop("loss")) / 2)
    assert both == alone


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (TwoWayLoss(way="sample"), {"gradient_norm", "gradient_norm_samples"}),
        (TwoWayLoss(way="class"), {"gradient_norm", "gradient_norm_classes"}),
        (TwoWayLoss(way="joint"), {"gradient_norm"}),
        (TwoWayLoss(way="both"), {"gradient_norm"}),
        (loss_without_ways, {"gradient_norm"}),
    ],
)
def test_only_the_ways_of_the_loss_have_a_gradient_norm(loss, told):
    entry = summary(statistics_of(loss).tolist())
    assert {name for name in entry if name.startswith("gradient_norm")} == told


def test_buckets_are_averaged():
    buckets = [statistics_of(TwoWayLoss(), LOGITS[rows], TARGETS[rows]) for rows in (slice(0, 20), slice(20, 40))]
    first, second, both = (summary(sums.tolist()) for sums in (*buckets, sum(buckets)))
    for name in ("loss", "gradient_norm", "margin_50_samples", "margin_05_classes"):
        assert both[name] == pytest.approx((first[name] + second[name]) / 2, rel=1e-5)


def test_a_bucket_without_groups_that_count_tells_no_margins():
    entry = summary(statistics_of(TwoWayLoss(), targets=torch.full((40, 12), UNLABELED)).tolist())
    assert not any(name.startswith("margin_") for name in entry)
    assert entry["counting_samples"] == entry["violating_samples"] == 0
    both = statistics_of(TwoWayLoss(), targets=torch.full((40, 12), UNLABELED)) + statistics_of(TwoWayLoss())
    assert (
        summary(both.tolist())["margin_50_samples"]
        == summary(statistics_of(TwoWayLoss()).tolist())["margin_50_samples"]
    )


def test_every_statistic_has_a_place():
    assert statistics_of(TwoWayLoss()).shape == (len(STATISTICS),)
