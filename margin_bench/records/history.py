"""Keep what a run tells on its way: `metrics.jsonl`, a line for each epoch, and `log.txt`."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from margin_bench.runtime.files import opened, write_atomic
from margin_bench.runtime.text import for_terminal

HISTORY = "metrics.jsonl"
LOG = "log.txt"


def write_history(run_dir: Path, history: list[dict[str, Any]]) -> None:
    """Write `metrics.jsonl` anew, one line of JSON per entry: a resumed or killed run leaves no line twice or torn.

    Raises:
        ValueError: a number is not finite.
        CheckpointError: it cannot be written.
    """
    lines = "".join(f"{json.dumps(entry, allow_nan=False)}\n" for entry in history)
    write_atomic(run_dir / HISTORY, lines.encode())


def write_log(run_dir: Path, text: str) -> None:
    """Add to the log of a run what one of its processes says now. That it cannot be written fails no run."""
    rank = os.environ.get("RANK")
    process = f"[process {rank}] " if rank else ""
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {process}{for_terminal(text)}\n"
    with suppress(OSError), opened(run_dir / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as file:
        file.write(line.encode(errors="backslashreplace"))
