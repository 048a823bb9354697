"""What the campaigns of damage and of disk faults share: a small run, stopped half-way or finished, and its result."""

import contextlib
import io
import os
import shutil
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from margin_bench.cli import main
from margin_bench.training import checkpoint
from tests.helpers.tiny_run import read_result

SMALL = [
    *("dataset.num_train=64", "dataset.num_test=16", "batch_size=16", "bucket_size=16", "microbatch_size=16"),
    *("epochs=4", "workers=0", "precision=fp32"),
]
REFUSED = (3, 4)  # data, and checkpoint or record


@dataclass(frozen=True)
class Outcome:
    """The end of one command.

    Attributes:
        exit_code: None where a traceback came.
        said: what was printed, on both streams.
    """

    exit_code: int | None
    said: str


def run(*words: str) -> Outcome:
    """Run one command in this process."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            exit_code: int | None = main(list(words))
        except Exception:
            traceback.print_exc()
            exit_code = None
    return Outcome(exit_code, told.getvalue())


def train(runs_dir: Path) -> Outcome:
    """Train the small run, or go on with it."""
    return run("train", *SMALL, f"runs_dir={runs_dir}")


def make_stopped(runs_dir: Path) -> None:
    """Train the small run until a signal comes in its third epoch."""
    save, calls = checkpoint.save, 0

    def save_and_signal(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        save(*arguments, **options)
        calls += 1
        if calls == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with mock.patch.object(checkpoint, "save", save_and_signal):
        assert train(runs_dir).exit_code == 75


def make_finished(runs_dir: Path) -> dict[str, Any]:
    """Train the small run to its end; return its result."""
    outcome = train(runs_dir)
    assert outcome.exit_code == 0, outcome.said
    return read_result(runs_dir)


def with_copy(whole: Path, copy: Path, trial: Callable[[Path], str]) -> str:
    """Return what a trial gives on a copy of a folder, which is removed afterwards."""
    shutil.copytree(whole, copy, symlinks=True)
    try:
        return trial(copy)
    finally:
        shutil.rmtree(copy)


def verdict_of_training(runs_dir: Path, expected: dict[str, Any]) -> str:
    """Go on with the run; return `same`, `refused`, or what went wrong, in capitals."""
    outcome = train(runs_dir)
    if outcome.exit_code in REFUSED:
        return "refused"
    if outcome.exit_code != 0:
        return f"BROKE: exit code {outcome.exit_code}: {outcome.said[-2000:]}"
    return "same" if read_result(runs_dir) == expected else f"WRONG: {outcome.said[-2000:]}"
