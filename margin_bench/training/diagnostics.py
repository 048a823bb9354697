"""What the buckets of an epoch tell about a training, besides its loss: margins, violations, norms of gradients.

Every figure is taken of whole buckets and summed over them, so that it does not depend on the number of processes.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from margin_bench.losses.margins import margins

QUANTILES = (0.05, 0.5, 0.95)

_WAYS = {"sample": "samples", "class": "classes"}
_MARGINS = tuple(f"margin_{round(100 * quantile):02}" for quantile in QUANTILES)
# Of the groups of a way: how many violate the margin (eq. 8), how many count, how many there are; whether any counts,
# and the quantiles of the margins of those that do; whether the loss has this way, and the norm of its gradient.
_OF_A_WAY = ("violating", "num", "total", "has", *_MARGINS, "has_gradient", "gradient_norm")

# What `bucket_statistics` gives, in this order.
STATISTICS = (
    "loss",
    "num_buckets",
    "gradient_norm",
    *(f"{name}_{groups}" for groups in _WAYS.values() for name in _OF_A_WAY),
)


def bucket_statistics(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor, value: Tensor, gradient: Tensor
) -> Tensor:
    """The STATISTICS of one bucket: float32 (len(STATISTICS),), without waiting for the device.

    Args:
        loss: whose `way`, if it has one, says what parts the gradient has; of both ways, one is computed again.
        logits: float32 (M, C), requiring a gradient.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        value, gradient: of the loss, the gradient (M, C) with respect to the logits.
    """
    parts = _gradient_parts(loss, logits, targets, gradient)
    figures = [value.detach(), value.new_ones(()), gradient.norm()]
    for way in _WAYS:
        gaps, counts = margins(logits.detach(), targets, way)
        figures += [((gaps < 0) & counts).sum(), counts.sum(), gaps.new_full((), len(gaps)), counts.any()]
        figures += _quantiles(gaps, counts)
        figures += [gaps.new_ones(()), parts[way].norm()] if way in parts else [gaps.new_zeros(())] * 2
    return torch.stack([figure.float() for figure in figures])


def summary(sums: Sequence[float]) -> dict[str, float]:
    """Means over buckets and shares of groups, from STATISTICS summed over buckets. What nothing tells is left out.

    `violating_*` are shares of the groups that count, `counting_*` of all groups; `margin_05_*`, `margin_50_*` and
    `margin_95_*` are means over buckets of the quantiles of a bucket, `gradient_norm*` of the Euclidean norm of the
    gradient of a bucket's loss with respect to its logits.
    """
    values = dict(zip(STATISTICS, sums, strict=True))
    entry = {
        "loss": values["loss"] / values["num_buckets"],
        "gradient_norm": values["gradient_norm"] / values["num_buckets"],
    }
    for groups in _WAYS.values():
        entry[f"violating_{groups}"] = values[f"violating_{groups}"] / max(values[f"num_{groups}"], 1)
        entry[f"counting_{groups}"] = values[f"num_{groups}"] / values[f"total_{groups}"]
        if values[f"has_{groups}"]:
            entry |= {f"{name}_{groups}": values[f"{name}_{groups}"] / values[f"has_{groups}"] for name in _MARGINS}
        if values[f"has_gradient_{groups}"]:
            entry[f"gradient_norm_{groups}"] = values[f"gradient_norm_{groups}"] / values[f"has_gradient_{groups}"]
    return entry


def _gradient_parts(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor, gradient: Tensor
) -> dict[str, Tensor]:
    """The part of each way in the gradient; none of a loss that has no ways, or a joint one."""
    way = getattr(loss, "way", None)
    if way in _WAYS:
        return {way: gradient}
    if way != "both":
        return {}
    sample_loss: Any = copy.copy(loss)
    sample_loss.way = "sample"
    (sample_gradient,) = torch.autograd.grad(sample_loss(logits, targets), logits)
    return {"sample": sample_gradient, "class": gradient - sample_gradient}


def _quantiles(gaps: Tensor, counts: Tensor) -> list[Tensor]:
    """The QUANTILES of the margins that count, linear between neighbours; 0 if none does."""
    ordered = gaps.sort().values  # those that do not count are +inf
    last = (counts.sum() - 1).clamp(min=0)
    quantiles = []
    for quantile in QUANTILES:
        position = quantile * last
        neighbours = ordered[position.floor().long()], ordered[position.ceil().long()]
        quantiles.append(torch.where(counts.any(), torch.lerp(*neighbours, position.frac()), 0))
    return quantiles
