"""A run of a few seconds on the embedded data set, in this process or in one of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from margin_bench.cli import main

TINY = [
    "dataset.num_train=256",
    "dataset.num_test=64",
    "batch_size=64",
    "bucket_size=64",
    "microbatch_size=32",
    "epochs=4",
    "evaluate_every=2",
]
LONGER = ["dataset.num_train=640", "epochs=6"]  # for what has to happen while a run goes on

_started: list[subprocess.Popen[str]] = []


def train(runs_dir: Path, *overrides: str) -> int:
    """`margin-bench train` in this process; returns the exit code."""
    return main(["train", *TINY, f"runs_dir={runs_dir}", *overrides])


def start(runs_dir: Path, *overrides: str) -> subprocess.Popen[str]:
    """`margin-bench train` in a process, and a process group, of its own."""
    return start_command("train", *TINY, f"runs_dir={runs_dir}", *overrides)


def start_command(*words: str) -> subprocess.Popen[str]:
    """A command in a process, and a process group, of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "margin_bench", *words],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.append(process)
    return process


def torchrun(num_processes: int) -> list[str]:
    """The words before a script, or before `-m` and a module, that is to run in so many processes."""
    # The name of this host may lead nowhere.
    local = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={num_processes}"]
    return [sys.executable, "-m", "torch.distributed.run", *local]


def end_all() -> None:
    """Kills what has been started and goes on, as after a test that failed on the way."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def read_record(runs_dir: Path) -> dict[str, Any]:
    """The record of the one run in a folder."""
    (path,) = runs_dir.glob("*/record.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def read_result(runs_dir: Path) -> dict[str, Any]:
    """What must not depend on how often a run was stopped."""
    record = read_record(runs_dir)
    names = ("status", "weights_sha256", "metrics", "best", "history")
    (metrics,) = runs_dir.glob("*/metrics.jsonl")
    return {name: record[name] for name in names} | {"metrics.jsonl": metrics.read_text(encoding="utf-8")}


def wait_until(condition: Callable[[], object], seconds: float = 300.0) -> None:
    """Waits until a condition holds; fails when it takes too long."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


def is_saving(runs_dir: Path) -> bool:
    """Whether a checkpoint is being written at this moment."""
    return any(runs_dir.glob("*/checkpoints/.*.tmp"))
