"""Make of a checked configuration a run, and its record. Only here all modules meet."""

import contextlib
import dataclasses
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from margin_bench.config.build import check_parameters, no_exit
from margin_bench.config.identity import files_sha256
from margin_bench.config.own_code import own_code_sha256
from margin_bench.config.schema import PAPER, TrainConfig
from margin_bench.data.facts import facts
from margin_bench.errors import DataError, DivergedError, MarginBenchError, StoppedError
from margin_bench.metrics.protocols import in_percent
from margin_bench.records.history import write_history, write_log
from margin_bench.records.paths import text_without_paths, without_paths, write_paths
from margin_bench.records.record import (
    DIVERGED,
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    environment,
    read_record,
    write_record,
)
from margin_bench.records.scores import SavedScores, save_scores, scores_sha256
from margin_bench.records.summary import print_result
from margin_bench.runs import process_errors
from margin_bench.runs.parts import evaluation_batches, load_splits, trainer_of
from margin_bench.runs.process_errors import UNKNOWN_CAUSE
from margin_bench.runs.trackers import Tracker, make_tracker
from margin_bench.runtime.console import no_memory
from margin_bench.runtime.files import sweep
from margin_bench.runtime.lock import run_lock
from margin_bench.runtime.precision import set_tf32
from margin_bench.runtime.signals import StopRequest, stop_request, stopped_error
from margin_bench.runtime.world import World, join_world, process_group_size, run_processes
from margin_bench.training import checkpoint
from margin_bench.training.predict import Evaluation, predict, score
from margin_bench.training.progress import Progress

CHECKPOINTS = "checkpoints"
WEIGHTS = "weights.safetensors"


def train(config: TrainConfig, run_dir: Path) -> None:
    """Train one run to its end, from wherever it stands, and print its scores.

    Args:
        config: checked, its precision resolved.
        run_dir: the run's directory, named by its id.

    Raises:
        MarginBenchError: with the exit code of whatever the run met.
    """
    try:
        run_processes(_train_process, config, run_dir, num_processes=config.devices)
    except StoppedError as stopped:
        if config.devices > 1 and process_group_size() == 1:
            _complete_record(run_dir, stopped)
        raise


def _complete_record(run_dir: Path, stopped: StoppedError) -> None:
    """Write into the record what ended a run of local processes, where the first of them did not know.

    It may have been killed; or it found only that another did not answer, and was stopped for that.

    Args:
        stopped: what the launcher says of the process that ended first, or of the signal that came.
    """
    record = read_record(run_dir)
    changes = {} if record is None else _completion(record, stopped, run_dir)
    if record and changes:
        write_record(run_dir, record | changes | {"ended": record["ended"] or _now()})


def _completion(record: dict[str, Any], stopped: StoppedError, run_dir: Path) -> dict[str, Any]:
    """Return the entries of a record that its process could not know."""
    if stopped.rank is None:
        return {"status": STOPPED, "error": str(stopped)} if record["status"] in (RUNNING, FAILED) else {}
    is_known = record["status"] in (FAILED, DIVERGED) and UNKNOWN_CAUSE not in str(record["error"])
    if is_known or record["status"] == FINISHED:
        return {}
    causes = process_errors.told(run_dir)
    if not causes and record["status"] == FAILED and process_errors.has_left_something(run_dir, stopped.rank):
        return {}  # which names the process that did not answer
    return {"status": FAILED, "error": causes[0] if causes else str(stopped)}


def _train_process(config: TrainConfig, run_dir: Path) -> None:
    """Do what each process of a run does: own the run's directory, train, and leave a record whatever happens."""
    set_tf32(config.precision)
    with join_world(config.process_timeout) as world, run_lock(run_dir, world):
        if world.is_first:
            sweep(run_dir, seconds=0)
            process_errors.clear(run_dir)
        record = world.from_first(read_record(run_dir))
        if record is None or record.get("status") != FINISHED:  # another process may have finished it by now
            record, paths = _new_record(config, run_dir, world)
            with _recorded(record, paths, run_dir, world), process_errors.left(run_dir, world), runtime_errors():
                run = _Run(config, run_dir, world)
                with stop_request(config.loader_timeout) as stop, no_exit("a loss or a model"):
                    run.train(record, stop)
        if world.is_first:
            print_result(record, run_dir)


def _new_record(config: TrainConfig, run_dir: Path, world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record of a run that begins, and the paths that do not stand in it."""
    content = dataclasses.asdict(config)
    short, paths = without_paths(content)
    record = {
        "status": RUNNING,
        "run_id": run_dir.name,
        "config": short,
        "files_sha256": files_sha256(content),
        "own_code_sha256": own_code_sha256(content),
        "seed": config.seed,
        "dataset": None,
        "metric_protocol": PAPER,
        "metrics": None,
        "best": None,
        "history": [],
        "weights_sha256": None,
        "scores_sha256": None,
        "durations": None,
        "num_processes": world.size,
        "environment": environment(),
        "started": _now(),
        "ended": None,
        "error": None,
    }
    return record, paths


@contextlib.contextmanager
def _recorded(record: dict[str, Any], paths: dict[str, Any], run_dir: Path, world: World) -> Iterator[None]:
    """Write the record before and after the block, which ends as finished, stopped, diverged or failed."""
    if world.is_first:
        write_paths(run_dir, paths)
        write_record(run_dir, record)
    try:
        yield
        record["status"] = FINISHED
    except BaseException as error:
        record["status"] = _status_after(error)
        said = str(error) or type(error).__name__
        record["error"] = text_without_paths(said, paths)
        write_log(run_dir, said if isinstance(error, MarginBenchError) else traceback.format_exc())
        raise
    finally:
        record["ended"] = _now()
        if world.is_first:
            write_record(run_dir, record)


def _status_after(error: BaseException) -> str:
    if isinstance(error, StoppedError | KeyboardInterrupt):
        return STOPPED
    return DIVERGED if isinstance(error, DivergedError) else FAILED


@contextlib.contextmanager
def runtime_errors() -> Iterator[None]:
    """Tell the user what the machine, not our code, could not do."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise no_memory(str(error).partition("\n")[0]) from error
    except RuntimeError as error:  # which is what torch's allocator of the CPU raises
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise no_memory(str(error).partition("DefaultCPUAllocator: ")[2].partition("\n")[0]) from error


class _Run:
    """Hold the parts of a run that goes on, in one process."""

    def __init__(self, config: TrainConfig, run_dir: Path, world: World) -> None:
        self.config, self.run_dir, self.world = config, run_dir, world
        self.stop = StopRequest()
        for group in (config.loss, config.transforms):
            check_parameters(group)  # before the data, which may take minutes
        train_split, self.test_split = load_splits(config.dataset, config.data.holdout)
        self.facts = facts(train_split, self.test_split)
        self.test_batches = evaluation_batches(config, self.test_split, world)
        self.trainer = trainer_of(config, train_split, world)
        state = checkpoint.load_latest(run_dir / CHECKPOINTS)
        if state is not None:
            _check_same_data(state.pop("fingerprints"), self.facts["fingerprints"], run_dir)
            self.trainer.load_state(state)
        self.state = self.trainer.run_state

    def train(self, record: dict[str, Any], stop: StopRequest) -> None:
        """Train the epochs that are left and fill the record."""
        self.stop = stop
        record["dataset"] = self.facts
        steps_done = self.state.epoch * self.trainer.steps_per_epoch + self.state.step
        stream = sys.stderr if self.world.is_first else None
        log = partial(write_log, self.run_dir)
        progress = Progress(self.config.epochs, self.trainer.steps_per_epoch, stream, steps_done, log)
        if steps_done:
            progress.say(f"going on at epoch {self.state.epoch + 1}, step {self.state.step}")
        num_train = self.facts["num_train"]
        if num_train < self.config.batch_size:
            progress.say(f"{num_train} training samples go round to fill a batch of {self.config.batch_size}")
        tracker = make_tracker(
            self.config.tracker if self.world.is_first else "none", self.run_dir, self.run_dir.name, record["config"]
        )
        try:
            while self.state.epoch < self.config.epochs:
                self._train_epoch(progress, tracker)
        finally:
            progress.close()
            tracker.close()
            self._fill(record)

    def _train_epoch(self, progress: Progress, tracker: Tracker) -> None:
        """Train, evaluate and save one epoch; a stop on the way is saved at its step boundary and raised."""
        progress.start_epoch()
        exit_code = self.trainer.train_epoch(self.stop, progress)
        self.trainer.check_finite()
        entry = {"epoch": self.state.epoch + 1, **self.trainer.summary()} if not exit_code else {}
        evaluation = None
        if not exit_code and self._evaluation_is_due():
            evaluation = self._evaluate()
            exit_code = 0 if evaluation else self.world.max(self.stop.exit_code)
        if exit_code:
            self._save(best=False)
            raise stopped_error(exit_code, f"epoch {self.state.epoch + 1}, step {self.state.step}")
        if evaluation:
            entry |= evaluation.metrics
            progress.say(f"epoch {entry['epoch']}: {in_percent(evaluation.metrics)}")
        self._finish_epoch(entry, evaluation)
        tracker.log({key: float(value) for key, value in entry.items()}, step=self.state.epoch)

    def _evaluation_is_due(self) -> bool:
        epoch = self.state.epoch + 1
        return epoch % self.config.evaluate_every == 0 or epoch == self.config.epochs

    def _evaluate(self) -> Evaluation | None:
        started = perf_counter()
        scores = predict(
            self.trainer.model,
            self.test_batches,
            self.test_split.targets.shape,
            self.config.microbatch_size,
            self.world,
            self.stop,
        )
        evaluation = None if scores is None else score(scores, self.test_split)
        self.state.evaluate_seconds += perf_counter() - started
        return evaluation

    def _finish_epoch(self, entry: dict[str, Any], evaluation: Evaluation | None) -> None:
        before = [earlier["map_class"] for earlier in self.state.history if "map_class" in earlier]
        is_best = "map_class" in entry and entry["map_class"] > max(before, default=-1.0)
        self.state.finish_epoch(entry)
        if evaluation and self.world.is_first and self.state.epoch == self.config.epochs:
            split = self.test_split
            save_scores(self.run_dir, SavedScores(evaluation.scores, split.targets, split.class_names))
        self._save(best=is_best)

    def _save(self, best: bool) -> None:
        """Save the state in the first process; the others wait, so that none ends the run before it is saved."""
        if self.world.is_first:
            write_history(self.run_dir, self.state.history)
            checkpoint.save(
                self.run_dir / CHECKPOINTS,
                {**self.trainer.state(), "fingerprints": self.facts["fingerprints"]},
                epoch=self.state.epoch,
                step=self.state.step,
                best=best,
            )
        self.world.wait_for_all()

    def _fill(self, record: dict[str, Any]) -> None:
        evaluated = [entry for entry in self.state.history if "map_class" in entry]
        names = ("map_class", "map_sample", "classes_left_out", "samples_left_out")
        if evaluated:
            best = max(evaluated, key=lambda entry: entry["map_class"])
            record["metrics"] = {name: evaluated[-1][name] for name in names}
            record["best"] = {name: best[name] for name in ("epoch", *names)}
        record["history"] = self.state.history
        record["durations"] = {
            "train_seconds": round(self.state.train_seconds, 2),
            "evaluate_seconds": round(self.state.evaluate_seconds, 2),
        }
        if self.state.epoch == self.config.epochs and self.world.is_first:
            record["weights_sha256"] = checkpoint.save_weights(self.run_dir / WEIGHTS, self.trainer.model.state_dict())
            record["scores_sha256"] = scores_sha256(self.run_dir)


def _check_same_data(before: dict[str, str], now: dict[str, str], run_dir: Path) -> None:
    changed = [name for name in now if now[name] != before[name]]
    if changed:
        raise DataError(
            f"the {' and '.join(changed)} samples are not those that {run_dir} began with: another fingerprint\n"
            "Restore the data set, or delete the run's folder to begin anew."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
