"""Say what `train` and `evaluate` do with one composed configuration.

Imports nothing that trains for a finished run.
"""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig

from margin_bench.config.identity import run_id
from margin_bench.config.own_code import own_code_sha256
from margin_bench.config.schema import EvaluateConfig, TrainConfig, typed
from margin_bench.records.paths import read_paths
from margin_bench.records.record import FINISHED, read_record
from margin_bench.records.shape import check_shape
from margin_bench.records.summary import print_result
from margin_bench.runtime.console import say


class Task(Protocol):
    """The work of a command on one configuration, which it is made with.

    Attributes:
        run_dir: the directory of the run that it makes; None: it makes none.
    """

    run_dir: Path | None

    def do(self) -> None:
        """Do it."""


class Train:
    """Train a run, or show it if it is finished."""

    def __init__(self, config: DictConfig) -> None:
        from margin_bench.runtime.precision import resolve_precision  # which imports torch

        self.config: TrainConfig = typed("train", config)
        self.config.precision = resolve_precision(self.config.precision)
        self.run_dir: Path | None = Path(self.config.runs_dir) / run_id(self.config)

    def do(self) -> None:
        """Train the run, unless it is finished."""
        assert self.run_dir is not None
        record = read_record(self.run_dir)
        if record is not None and record.get("status") == FINISHED:
            check_shape(record, self.run_dir)
            if os.environ.get("RANK", "0") == "0":
                say(f"this run is finished already{_elsewhere(self.run_dir, self.config)}", sys.stderr)
                for target in _changed_code(record, self.config):
                    say(f"the code of {target} has changed since: raise its revision for a new run", sys.stderr)
                print_result(record, self.run_dir)
            return
        from margin_bench.runs.train import train  # which imports all that trains

        train(self.config, self.run_dir)


class Evaluate:
    """Score a finished run again."""

    run_dir: Path | None = None

    def __init__(self, config: DictConfig) -> None:
        self.config: EvaluateConfig = typed("evaluate", config)

    def do(self) -> None:
        """Score the run and print the scores."""
        from margin_bench.runs.evaluate import evaluate

        evaluate(self.config)


# By the name of the command.
TASKS: dict[str, Callable[[DictConfig], Task]] = {"train": Train, "evaluate": Evaluate}


def _changed_code(record: dict[str, Any], config: TrainConfig) -> list[str]:
    """Return each part of the user's own whose file is another one than at the start of the finished run."""
    before = record.get("own_code_sha256", {})
    now = own_code_sha256(dataclasses.asdict(config))
    return [target for target, checksum in before.items() if target in now and now[target] != checksum]


def _elsewhere(run_dir: Path, config: TrainConfig) -> str:
    """Say where the data of a finished run was, if it is said to be elsewhere now: its images do not name a run."""
    before, now = read_paths(run_dir).get("dataset.root"), config.dataset.get("root")
    return f", with the data in {before}" if before and now and before != str(Path(now).absolute()) else ""
