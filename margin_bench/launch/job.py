"""Do one job of many, which a launcher calls in this process or in another."""

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from margin_bench.config.sources import register_resolvers
from margin_bench.errors import ExitCode, MarginBenchError, StoppedError
from margin_bench.launch.task import TASKS
from margin_bench.records.record import DIVERGED, FAILED, read_record
from margin_bench.runtime.console import say, tell
from margin_bench.runtime.foreign import foreign_traceback
from margin_bench.runtime.signals import EXIT_CODES


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Attributes:
        exit_code: the one it would have alone.
        message: what went wrong; empty where nothing did.
        run_dir: the directory of its run; None where it makes none, or failed before it knew.
    """

    exit_code: int = ExitCode.DONE
    message: str = ""
    run_dir: Path | None = None


class JobsStopped(BaseException):
    """End all jobs of this process, since a signal stopped one; `args[0]` is its error."""


def outcome_of(command: str, jobs: Sequence[Sequence[str]], config: DictConfig) -> Outcome:
    """Do one job of many. An error is told and returned, so that the other jobs go on.

    Args:
        jobs: the overrides of each, by which it is named; Hydra knows which of them this is.

    Raises:
        JobsStopped: a signal stopped it, and so all that are still to come in this process.
    """
    register_resolvers()
    _join_cluster_job()
    number = HydraConfig.get().job.num
    say(f"[{number + 1}/{len(jobs)}] {' '.join(jobs[number])}".rstrip(), sys.stderr)
    run_dir = None
    try:
        task = TASKS[command](config)
        run_dir = task.run_dir
        task.do()
    except MarginBenchError as error:
        if error.exit_code in EXIT_CODES.values() and not _in_cluster_job():
            raise JobsStopped(error) from error
        tell(str(error))
        return Outcome(error.exit_code, _cause(error, run_dir), run_dir)
    except Exception as error:
        told = foreign_traceback(error)
        if told is None:
            traceback.print_exc()
        else:
            tell(f"an error in code of your own\n{told}")
        return Outcome(ExitCode.FAILED, f"{type(error).__name__}: {error}", run_dir)
    return Outcome(run_dir=run_dir)


def _cause(error: MarginBenchError, run_dir: Path | None) -> str:
    """Return what an error says; if that is only that a process of the run ended, what the record says of it."""
    record = read_record(run_dir) if isinstance(error, StoppedError) and run_dir else None
    return str(record["error"]) if record and record.get("status") in (FAILED, DIVERGED) else str(error)


def _in_cluster_job() -> bool:
    """Tell whether submitit has started this process, for one job alone."""
    return "SUBMITIT_EXECUTOR" in os.environ


def _join_cluster_job() -> None:
    """Make one process group of the tasks that submitit has started for a job, as torchrun does with its processes."""
    if not _in_cluster_job():
        return
    import submitit

    if submitit.JobEnvironment().num_tasks > 1:
        submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
