"""The conventions by which published mean average precisions differ. Imports no torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_bench.config.schema import PAPER
from margin_bench.metrics.average_precision import Scores, Targets, class_average_precisions, sample_average_precisions

ALL = "all"


@dataclass(frozen=True)
class Protocol:
    """A convention.

    Attributes:
        about: what sets it apart, in words.
        interpolated: as in `metrics.class_average_precisions`.
        empty_is_zero: classes and samples without a positive count as 0; otherwise they are left out.
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
    """Both metrics (eq. 23, 24) by one convention.

    Args:
        scores: float (N, C), finite.
        targets: int8 (N, C) with a positive.

    Returns:
        `map_class` and `map_sample` in 0 .. 1; `classes_left_out` and `samples_left_out`, how many of them are.
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


def report(scores: Scores, targets: Targets, protocol: str, where: str) -> str:
    """Both metrics by one protocol in a line, or by `ALL` of them below one another.

    Args:
        where: which scores these are, in words.
    """
    if protocol != ALL:
        return f"{in_percent(metrics_by(scores, targets, protocol))}   ({protocol} protocol, {where})"
    lines = [
        f"  {name:<14}{in_percent(metrics_by(scores, targets, name))}   ({entry.about})"
        for name, entry in PROTOCOLS.items()
    ]
    return "\n".join([where, *lines])


def in_percent(metrics: dict[str, Any]) -> str:
    """Both metrics in percent, and what had no positive and so was left out of them."""
    text = f"mAP@class {100 * metrics['map_class']:.2f}   mAP@sample {100 * metrics['map_sample']:.2f}"
    counts = {name: metrics[f"{name}_left_out"] for name in ("classes", "samples")}
    left_out = [f"{count} {name}" for name, count in counts.items() if count]
    return f"{text}   without {' and '.join(left_out)} that have no positive" if left_out else text
