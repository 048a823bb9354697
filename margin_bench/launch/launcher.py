"""Any list of jobs through Hydra's launcher: one after another in this process, or wherever the launcher puts them."""

import functools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from margin_bench.config.compose import COMPOSITION_ERRORS, check
from margin_bench.config.hydra_internals import instantiate_launcher
from margin_bench.config.schema import is_for_hydra
from margin_bench.config.sources import Sources
from margin_bench.errors import AlreadyRunningError, CheckpointError, ConfigError, MarginBenchError
from margin_bench.launch.cluster import check_slurm, is_submitit, lost_jobs_named
from margin_bench.launch.job import JobsStopped, Outcome, outcome_of
from margin_bench.records.history import LOG
from margin_bench.records.record import read_record
from margin_bench.records.summary import print_result
from margin_bench.runtime.console import say
from margin_bench.runtime.lock import wait_until_free


def launch(command: str, jobs: Sequence[Sequence[str]], shared: Sequence[str], sources: Sources) -> list[Outcome]:
    """Does what `command` does, once for each of the jobs.

    A run that another process works on is left to it, and looked at again after all others: if it is finished by then,
    it is only shown, and if it is broken, it goes on.

    Args:
        jobs: the overrides of each.
        shared: the overrides of all, among them those for Hydra itself, as `hydra/launcher=...`.
        sources: where the YAML files are.

    Raises:
        ConfigError: the launcher refuses what it is given.
        MarginBenchError: a signal stopped a run, whose state is saved, and the rest did not begin; or the launcher has
            given up.
    """
    outcomes = _launch(command, jobs, shared, sources)
    while busy := {number: run_dir for number, outcome in enumerate(outcomes) if (run_dir := _busy(outcome))}:
        say(f"waiting for runs that other processes work on: {len(busy)}", sys.stderr)
        for run_dir in busy.values():
            wait_until_free(run_dir)
        again = _launch(command, [jobs[number] for number in busy], shared, sources)
        for number, outcome in zip(busy, again, strict=True):
            outcomes[number] = outcome
    return outcomes


def num_processes(shared: Sequence[str], sources: Sources) -> int | None:
    """How many processes of its own the launcher gives to a run; None: `devices` counts.

    Raises:
        ConfigError: there is no such launcher.
    """
    for_hydra = [word for word in shared if is_for_hydra(word)]
    check("train", for_hydra, sources)
    with sources.opened():
        config = sources.compose("train", for_hydra, return_hydra_config=True)
    number = math.prod(config.hydra.launcher.get(key, 1) for key in ("tasks_per_node", "nodes"))
    return number if number > 1 else None


def failures(outcomes: Iterable[tuple[str, Outcome]]) -> list[str]:
    """A line for each job that failed: its name, the cause, and where its log is."""
    return [
        f"{name}: {outcome.message.splitlines()[0].rstrip('.')}{_log(outcome)}"
        for name, outcome in outcomes
        if outcome.exit_code
    ]


def _launch(command: str, jobs: Sequence[Sequence[str]], shared: Sequence[str], sources: Sources) -> list[Outcome]:
    of_all = [word for word in shared if not is_for_hydra(word)]
    with sources.opened("margin-bench"), _told_errors():
        task = functools.partial(outcome_of, command, jobs)
        launcher, name = instantiate_launcher(command, [*sources.search_words, *shared], task)
        check_slurm(launcher, name)
        elsewhere = name != "basic"
        if elsewhere:
            say(f"jobs with the launcher: {len(jobs)}", sys.stderr)
        with lost_jobs_named() if is_submitit(launcher) else nullcontext():
            returns = launcher.launch([[*of_all, *job] for job in jobs], 0)
        outcomes: list[Outcome] = [each.return_value for each in returns]
    if elsewhere:
        _show_results(outcomes)
    return outcomes


@contextmanager
def _told_errors() -> Iterator[None]:
    """Tells the user what ended all jobs at once. Those of a job itself are in its outcome."""
    try:
        yield
    except JobsStopped as stopped:
        raise stopped.args[0] from None
    except COMPOSITION_ERRORS as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    except OSError as error:
        raise CheckpointError(f"the sweep cannot be written: {error}\nGive a writable runs_dir=DIR.") from error
    except RuntimeError as error:  # what submitit raises
        raise MarginBenchError(
            f"the launcher has given up: {str(error).partition(chr(10))[0] or error.__cause__}\n"
            "Its jobs, if any run, go on, and their output is in .submitit in runs_dir.\n"
            "The same command again waits for them and does what is then missing."
        ) from error


def _show_results(outcomes: Sequence[Outcome]) -> None:
    """Prints the scores of runs that other processes have trained, which could not print them here."""
    for outcome in outcomes:
        if outcome.run_dir and not outcome.exit_code and (record := read_record(outcome.run_dir)):
            print_result(record, outcome.run_dir)


def _busy(outcome: Outcome) -> Path | None:
    """The directory of a run that another process works on."""
    return outcome.run_dir if outcome.exit_code == AlreadyRunningError.exit_code else None


def _log(outcome: Outcome) -> str:
    return f"; see {outcome.run_dir / LOG}" if outcome.run_dir and (outcome.run_dir / LOG).exists() else ""
