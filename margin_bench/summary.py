"""The scores of a run in one line."""

from pathlib import Path
from typing import Any

from margin_bench.tracking import say


def in_percent(metrics: dict[str, Any]) -> str:
    """Both metrics in percent, and what had no positive and so was left out of them."""
    text = f"mAP@class {100 * metrics['map_class']:.2f}   mAP@sample {100 * metrics['map_sample']:.2f}"
    counts = {name: metrics[f"{name}_left_out"] for name in ("classes", "samples")}
    left_out = [f"{count} {name}" for name, count in counts.items() if count]
    return f"{text}   without {' and '.join(left_out)} that have no positive" if left_out else text


def print_result(record: dict[str, Any], run_dir: Path) -> None:
    """Prints the scores after the last epoch of a finished run."""
    split = "held-out part of the train split" if record["config"]["data"]["holdout"] else "test split"
    say(f"{in_percent(record['metrics'])}   ({split}, epoch {record['config']['epochs']} of {run_dir})")
