"""Compute both mean average precisions by the conventions in which published ones differ. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_bench.config.schema import ALL, PAPER
from margin_bench.metrics.average_precision import class_average_precisions, sample_average_precisions
from margin_bench.metrics.rankings import Scores, Targets
from margin_bench.runtime.console import counted


@dataclass(frozen=True)
class Protocol:
    """Describe a convention.

    Attributes:
        about: what sets it apart, in words.
        interpolated: as in `class_average_precisions`.
        empty_is_zero: count classes and samples without a positive as 0; otherwise they are left out.

    Examples:
        >>> PROTOCOLS["sklearn"]
        Protocol(about='what has no positive counts as 0', interpolated=False, empty_is_zero=True)
    """

    about: str
    interpolated: bool = False
    empty_is_zero: bool = False


PROTOCOLS = {
    PAPER: Protocol("what has no positive is left out"),
    "sklearn": Protocol("what has no positive counts as 0", empty_is_zero=True),
    "interpolated": Protocol("precision never rises with recall; what has no positive is left out", interpolated=True),
}


def metrics_by(scores: Scores, targets: Targets, protocol: str = PAPER) -> dict[str, float | int]:
    """Compute both metrics (eq. 23, 24) by one convention.

    Args:
        scores: float (N, C), finite.
        targets: int8 (N, C) with a positive.
        protocol: a name of PROTOCOLS.

    Returns:
        `map_class` and `map_sample` in 0 .. 1; `classes_left_out` and `samples_left_out`, how many of them are.

    Raises:
        ValueError: scores are not finite, or shapes differ.

    Examples:
        >>> scores = np.array([[0.9, 0.2], [0.8, 0.1]])
        >>> targets = np.array([[1, 0], [0, 0]], np.int8)
        >>> metrics_by(scores, targets, "sklearn")["map_class"]
        0.5
    """
    chosen = PROTOCOLS[protocol]
    per_class = class_average_precisions(scores, targets, chosen.interpolated)
    per_sample = sample_average_precisions(scores, targets, chosen.interpolated)
    if chosen.empty_is_zero:
        per_class, per_sample = np.nan_to_num(per_class), np.nan_to_num(per_sample)
    return {
        "map_class": float(np.nanmean(per_class)),
        "map_sample": float(np.nanmean(per_sample)),
        "classes_left_out": int(np.isnan(per_class).sum()),
        "samples_left_out": int(np.isnan(per_sample).sum()),
    }


def report(scores: Scores, targets: Targets, protocol: str, where: str, others: Mapping[str, float]) -> str:
    """Write both metrics by one protocol in a line, or by `ALL` of them below one another, and others below these.

    Args:
        scores: float (N, C), finite.
        targets: int8 (N, C) with a positive.
        protocol: a name of PROTOCOLS, or ALL.
        where: which scores these are, in words.
        others: the values of other metrics, by name.

    Examples:
        >>> scores = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)
        >>> print(report(scores, targets, "paper", "test split", {"one_error": 0.5}))
        mAP@class 50.00   mAP@sample 75.00   (paper protocol, test split)
          one_error  0.5000
    """
    below = [f"  {name:<{max(map(len, others))}}  {value:.4f}" for name, value in others.items()]
    if protocol != ALL:
        first = f"{in_percent(metrics_by(scores, targets, protocol))}   ({protocol} protocol, {where})"
        return "\n".join([first, *below])
    lines = [
        f"  {name:<14}{in_percent(metrics_by(scores, targets, name))}   ({entry.about})"
        for name, entry in PROTOCOLS.items()
    ]
    return "\n".join([where, *lines, *below])


def in_percent(metrics: Mapping[str, Any]) -> str:
    """Write both metrics in percent, and how many classes and samples had no positive and so were left out of them.

    Args:
        metrics: from `metrics_by`.

    Examples:
        >>> in_percent({"map_class": 0.5, "map_sample": 0.75, "classes_left_out": 0, "samples_left_out": 2})
        'mAP@class 50.00   mAP@sample 75.00   (without a positive and left out: 2 samples)'
    """
    text = f"mAP@class {100 * metrics['map_class']:.2f}   mAP@sample {100 * metrics['map_sample']:.2f}"
    left_out = [
        counted(metrics[f"{several}_left_out"], one, several)
        for one, several in (("class", "classes"), ("sample", "samples"))
        if metrics[f"{several}_left_out"]
    ]
    return f"{text}   (without a positive and left out: {' and '.join(left_out)})" if left_out else text
