"""Measure on the buckets of some steps, besides the loss: margins, violations, norms of gradients.

Each figure is computed of whole buckets and summed over them, so it does not depend on the number of processes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from margin_bench.losses.margins import margins

QUANTILES = (0.05, 0.5, 0.95)

_WAYS = {"sample": "samples", "class": "classes"}
_MARGINS = tuple(f"margin_{round(100 * quantile):02}" for quantile in QUANTILES)
# Of the groups of a way: how many violate the margin (eq. 8), how many count, how many there are; whether any counts,
# and the quantiles of the margins of those that count; whether the loss has this way, and the norm of its gradient.
_OF_A_WAY = ("violating", "num", "total", "has", *_MARGINS, "has_gradient", "gradient_norm")

# The entries of what `bucket_statistics` returns, in this order.
STATISTICS = (
    "loss",
    "num_buckets",
    "num_measured",
    "gradient_norm",
    *(f"{name}_{groups}" for groups in _WAYS.values() for name in _OF_A_WAY),
)


def loss_statistics(value: Tensor) -> Tensor:
    """Return the STATISTICS of a bucket that is not measured, float32 (len(STATISTICS),): those of its loss alone."""
    statistics = torch.zeros(len(STATISTICS), device=value.device)
    statistics[:2] = torch.stack([value.detach().float(), value.new_ones((), dtype=torch.float32)])
    return statistics


def bucket_statistics(way: str | None, logits: Tensor, targets: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """Return the STATISTICS of one bucket, float32 (len(STATISTICS),), without waiting for the device.

    Args:
        way: of the loss, which tells whose the gradient is; None where it has none.
        logits: float32 (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        value: of the loss.
        gradient: of the loss with respect to the logits, float32 (M, C).
    """
    figures = [value.detach(), value.new_ones(()), value.new_ones(()), norm := gradient.norm()]
    for each in _WAYS:
        gaps, counts = margins(logits.detach(), targets, each)
        figures += [((gaps < 0) & counts).sum(), counts.sum(), gaps.new_full((), len(gaps)), counts.any()]
        figures += _quantiles(gaps, counts)
        figures += [gaps.new_ones(()), norm] if each == way else [gaps.new_zeros(())] * 2
    return torch.stack([figure.float() for figure in figures])


def summary(sums: Sequence[float]) -> dict[str, float]:
    """Return means over buckets and shares of groups, by name. Figures that no bucket has are left out.

    All but the loss are those of the buckets that were measured.

    - `loss`, `gradient_norm`: the mean over buckets of the loss, and of the Euclidean norm of its gradient with respect
      to the logits. `gradient_norm_samples` and `gradient_norm_classes`: the same, for a loss of this way alone.
    - `violating_*`: the share of the groups that count that have a negative margin; `counting_*`: the share of all
      groups that count.
    - `margin_05_*`, `margin_50_*`, `margin_95_*`: means over buckets of the quantiles of a bucket's margins (eq. 8).

    Args:
        sums: the STATISTICS, summed over buckets.
    """
    values = dict(zip(STATISTICS, sums, strict=True))
    entry = {"loss": values["loss"] / values["num_buckets"]}
    if not values["num_measured"]:
        return entry
    entry["gradient_norm"] = values["gradient_norm"] / values["num_measured"]
    for groups in _WAYS.values():
        entry[f"violating_{groups}"] = values[f"violating_{groups}"] / max(values[f"num_{groups}"], 1)
        entry[f"counting_{groups}"] = values[f"num_{groups}"] / values[f"total_{groups}"]
        if values[f"has_{groups}"]:
            entry |= {f"{name}_{groups}": values[f"{name}_{groups}"] / values[f"has_{groups}"] for name in _MARGINS}
        if values[f"has_gradient_{groups}"]:
            entry[f"gradient_norm_{groups}"] = values[f"gradient_norm_{groups}"] / values[f"has_gradient_{groups}"]
    return entry


def _quantiles(gaps: Tensor, counts: Tensor) -> list[Tensor]:
    """Return the QUANTILES of the margins that count, linear between neighbours; 0 where none counts."""
    ordered = gaps.sort().values  # those that do not count are +inf
    last = (counts.sum() - 1).clamp(min=0)
    quantiles = []
    for quantile in QUANTILES:
        position = quantile * last
        neighbours = ordered[position.floor().long()], ordered[position.ceil().long()]
        quantiles.append(torch.where(counts.any(), torch.lerp(*neighbours, position.frac()), 0))
    return quantiles
