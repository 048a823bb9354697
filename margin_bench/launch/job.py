"""What a command does with one composed configuration: alone, or as one of many jobs that a launcher calls."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from margin_bench.config.identity import run_id
from margin_bench.config.schema import TrainConfig, register_resolvers, typed
from margin_bench.errors import MarginBenchError, StoppedError
from margin_bench.records.record import DIVERGED, FAILED, FINISHED, read_record
from margin_bench.records.summary import print_result
from margin_bench.runtime.console import say, tell
from margin_bench.runtime.signals import EXIT_CODES


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        exit_code: the one it would have alone.
        message: what went wrong; empty where nothing did.
        run_dir: the directory of its run; None where it trains none, or failed before it knew.
    """

    exit_code: int = 0
    message: str = ""
    run_dir: Path | None = None


class JobsStopped(BaseException):
    """Ends all jobs of this process, since a signal stopped one; `args[0]` is its error."""


def train(config: DictConfig) -> None:
    """Trains a run, or shows it if it is finished."""
    _train(*_named(config))


def evaluate(config: DictConfig) -> None:
    from margin_bench.runs import evaluate as rescore

    rescore.evaluate(typed("evaluate", config))


TASKS: dict[str, Callable[[DictConfig], None]] = {"train": train, "evaluate": evaluate}


def outcome_of(command: str, jobs: Sequence[Sequence[str]], config: DictConfig) -> Outcome:
    """Does one job of many. What goes wrong is told, and returned, so that the others go on.

    Args:
        jobs: what each of them is called; Hydra knows which of them this is.

    Raises:
        JobsStopped: a signal stopped it, and so all that are still to come in this process.
    """
    register_resolvers()
    _join_cluster_job()
    number = HydraConfig.get().job.num
    say(f"[{number + 1}/{len(jobs)}] {' '.join(jobs[number])}".rstrip(), sys.stderr)
    run_dir = None
    try:
        if command == "train":
            checked, run_dir = _named(config)
            _train(checked, run_dir)
        else:
            TASKS[command](config)
    except MarginBenchError as error:
        if error.exit_code in EXIT_CODES.values() and not _in_cluster_job():
            raise JobsStopped(error) from error
        tell(str(error))
        return Outcome(error.exit_code, _cause(error, run_dir), run_dir)
    except Exception as error:
        traceback.print_exc()
        return Outcome(1, f"{type(error).__name__}: {error}", run_dir)
    return Outcome(run_dir=run_dir)


def _named(config: DictConfig) -> tuple[TrainConfig, Path]:
    """The configuration of a run, and the directory that it has by that."""
    from margin_bench.runtime.precision import (
        resolve_precision,  # it asks torch, which completion and `--cfg` do not wait for
    )

    checked: TrainConfig = typed("train", config)
    checked.precision = resolve_precision(checked.precision)
    return checked, Path(checked.runs_dir) / run_id(checked)


def _train(config: TrainConfig, run_dir: Path) -> None:
    record = read_record(run_dir)
    if record is not None and record["status"] == FINISHED:
        if os.environ.get("RANK", "0") == "0":
            say(f"this run is finished already{_elsewhere(record, config)}", sys.stderr)
            print_result(record, run_dir)
        return
    from margin_bench.runs.train import train  # only now it is worth importing what trains

    train(config, run_dir)


def _elsewhere(record: dict[str, Any], config: TrainConfig) -> str:
    """Where the data of a finished run was, if not where it is said to be now: a run is not known by its images."""
    before, now = (dataset.get("root") for dataset in (record["config"]["dataset"], config.dataset))
    return "" if before == now else f", with the data in {before}"


def _cause(error: MarginBenchError, run_dir: Path | None) -> str:
    """What an error says; where it only says that one of several processes ended, what the record says of why."""
    record = read_record(run_dir) if isinstance(error, StoppedError) and run_dir else None
    return str(record["error"]) if record and record["status"] in (FAILED, DIVERGED) else str(error)


def _in_cluster_job() -> bool:
    """Whether submitit has started this process, for one job alone."""
    return "SUBMITIT_EXECUTOR" in os.environ


def _join_cluster_job() -> None:
    """Makes one process group of the tasks that submitit has started for a job, as torchrun does with its processes."""
    if not _in_cluster_job():
        return
    import submitit

    if submitit.JobEnvironment().num_tasks > 1:
        submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
