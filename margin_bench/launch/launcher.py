"""Do a list of jobs through Hydra's launcher: one after another in this process, or wherever the launcher puts them."""

import functools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from margin_bench.config.compose import COMPOSITION_ERRORS, check
from margin_bench.config.hydra_internals import instantiate_launcher
from margin_bench.config.schema import is_for_hydra
from margin_bench.config.sources import Sources
from margin_bench.errors import CheckpointError, ConfigError, ExitCode, MarginBenchError
from margin_bench.launch.cluster import check_slurm, is_submitit, outcomes_of_cluster
from margin_bench.launch.job import JobsStopped, Outcome, outcome_of
from margin_bench.records.history import LOG
from margin_bench.records.record import read_record
from margin_bench.records.summary import print_result
from margin_bench.runtime.console import say
from margin_bench.runtime.lock import wait_until_free


def launch(command: str, jobs: Sequence[Sequence[str]], shared: Sequence[str], sources: Sources) -> list[Outcome]:
    """Do the task of a command once for each of the jobs.

    A run that another process works on is left to it, and tried again after all others: it is shown if it is finished
    by then, and goes on if it is broken.

    Args:
        jobs: the overrides of each.
        shared: the overrides of all, among them those for Hydra itself, as `hydra/launcher=...`.
        sources: where the YAML files are.

    Raises:
        ConfigError: the launcher refuses what it is given.
        MarginBenchError: a signal stopped a run, and the jobs after it did not begin; or the launcher has given up.

    Returns:
        How each job ended, in their order.
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
    """Return how many processes the launcher itself gives to a run; None: `devices` counts.

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
    """Return a line for each job that failed: its name, the cause, and where its log is."""
    return [
        f"{name}: {outcome.message.splitlines()[0].rstrip('.')}{_log(outcome)}"
        for name, outcome in outcomes
        if outcome.exit_code
    ]


def _launch(command: str, jobs: Sequence[Sequence[str]], shared: Sequence[str], sources: Sources) -> list[Outcome]:
    """Do each job once, and show the results of those that ran elsewhere."""
    of_all = [word for word in shared if not is_for_hydra(word)]
    with sources.opened("margin-bench"), _told_errors():
        task = functools.partial(outcome_of, command, jobs)
        launcher, name = instantiate_launcher(command, [*sources.search_words, *shared], task)
        check_slurm(launcher, name)
        elsewhere = name != "basic"
        if elsewhere:
            say(f"jobs with the launcher: {len(jobs)}", sys.stderr)
        overrides = [[*of_all, *job] for job in jobs]
        if is_submitit(launcher):
            outcomes = outcomes_of_cluster(launcher, overrides)
        else:
            outcomes = [each.return_value for each in launcher.launch(overrides, 0)]
    if elsewhere:
        _show_results(outcomes)
    return outcomes


@contextmanager
def _told_errors() -> Iterator[None]:
    """Raise what ended all jobs at once as an error of the user. What ended a single job is in its outcome."""
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
            "Jobs that run go on; their output is in .submitit in runs_dir.\n"
            "Give the same command again: it waits for them and does what is then missing."
        ) from error


def _show_results(outcomes: Sequence[Outcome]) -> None:
    """Print the scores of runs that other processes have trained, and could not print here."""
    for outcome in outcomes:
        if outcome.run_dir and not outcome.exit_code and (record := read_record(outcome.run_dir)):
            print_result(record, outcome.run_dir)


def _busy(outcome: Outcome) -> Path | None:
    """Return the directory of a run that another process works on; None: none does."""
    return outcome.run_dir if outcome.exit_code == ExitCode.BUSY else None


def _log(outcome: Outcome) -> str:
    """Return where the log of a failed run is, as the end of a line; empty if there is none."""
    return f"; see {outcome.run_dir / LOG}" if outcome.run_dir and (outcome.run_dir / LOG).exists() else ""
