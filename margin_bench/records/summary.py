"""Tell the scores of a run in one line."""

from pathlib import Path
from typing import Any

from margin_bench.metrics.protocols import in_percent
from margin_bench.runtime.console import say


def print_result(record: dict[str, Any], run_dir: Path) -> None:
    """Print the scores after the last epoch of a finished run."""
    split = "held-out part of the train split" if record["config"]["data"]["holdout"] else "test split"
    say(f"{in_percent(record['metrics'])}   ({split}, epoch {record['config']['epochs']} of {run_dir})")
