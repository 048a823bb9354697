"""A run from its checked configuration to its record, and a finished one scored again. Only here all modules meet."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from margin_bench import checkpoint
from margin_bench.buckets import BatchLayout
from margin_bench.build import build, refuse_foreign_targets, takes
from margin_bench.config import BackboneConfig, EvaluateConfig, OptimConfig, TrainConfig
from margin_bench.data.loading import BatchLoader, TrainSampler, num_steps, test_loader, train_loader
from margin_bench.data.split import Split
from margin_bench.distributed import World, join_world, run_processes, usable_cores
from margin_bench.errors import CheckpointError, DataError, StoppedError
from margin_bench.evaluate import Evaluation, predict, save_scores, score
from margin_bench.lock import run_lock
from margin_bench.models import build_model, head_of
from margin_bench.optim import build_optimizer
from margin_bench.record import FAILED, FINISHED, RUNNING, STOPPED, environment, read_record, write_record
from margin_bench.signals import StopRequest, stop_request, stopped_error
from margin_bench.summary import in_percent, print_result
from margin_bench.targets import check_targets, class_frequencies
from margin_bench.tracking import Progress, Tracker, make_tracker, say, write_history
from margin_bench.train import Trainer

CHECKPOINTS = "checkpoints"
WEIGHTS = "weights.safetensors"
SCORES = "scores.npz"


def train(config: TrainConfig, run_dir: Path) -> None:
    """Trains one run to its end, from wherever it stands, and prints its scores.

    Args:
        config: checked, its precision resolved.
        run_dir: the run's directory, named by its id.

    Raises:
        MarginBenchError: with the exit code of whatever the run met.
    """
    run_processes(_train_process, config, run_dir, num_processes=config.devices)


def _train_process(config: TrainConfig, run_dir: Path) -> None:
    """What each process of a run does: it owns the run's directory, trains, and leaves a record whatever happens."""
    with join_world() as world, run_lock(run_dir, world), stop_request() as stop:
        record = _new_record(config, run_dir, world)
        with _recorded(record, run_dir, world):
            _Run(config, run_dir, world, stop).train(record)
        if world.is_first:
            print_result(record, run_dir)


def _new_record(config: TrainConfig, run_dir: Path, world: World) -> dict[str, Any]:
    return {
        "status": RUNNING,
        "run_id": run_dir.name,
        "config": dataclasses.asdict(config),
        "seed": config.seed,
        "metrics": None,
        "best": None,
        "history": [],
        "weights_sha256": None,
        "durations": None,
        "num_processes": world.size,
        "environment": environment(),
        "started": _now(),
        "ended": None,
        "error": None,
    }


@contextlib.contextmanager
def _recorded(record: dict[str, Any], run_dir: Path, world: World) -> Iterator[None]:
    """Writes the record before and after the block, which ends as finished, stopped or failed."""
    if world.is_first:
        write_record(run_dir, record)
    try:
        yield
        record["status"] = FINISHED
    except BaseException as error:
        record["status"] = STOPPED if isinstance(error, StoppedError | KeyboardInterrupt) else FAILED
        record["error"] = str(error) or type(error).__name__
        raise
    finally:
        record["ended"] = _now()
        if world.is_first:
            write_record(run_dir, record)


class _Run:
    """The parts of a run that goes on, in one process."""

    def __init__(self, config: TrainConfig, run_dir: Path, world: World, stop: StopRequest) -> None:
        self.config, self.run_dir, self.world, self.stop = config, run_dir, world, stop
        train_split = load_split(config.dataset, "train")
        self.num_train = len(train_split)
        self.test_split = load_split(config.dataset, "test")
        self.test_batches = evaluation_batches(config, self.test_split, world)
        self.trainer = _build_trainer(config, train_split, world)
        state = checkpoint.load_latest(run_dir / CHECKPOINTS)
        if state is not None:
            self.trainer.load_state(state)
        self.state = self.trainer.run_state

    def train(self, record: dict[str, Any]) -> None:
        """Trains the epochs that are left and fills the record."""
        steps_done = self.state.epoch * self.trainer.steps_per_epoch + self.state.step
        stream = sys.stderr if self.world.is_first else None
        progress = Progress(self.config.epochs, self.trainer.steps_per_epoch, stream, steps_done)
        if self.num_train < self.config.batch_size:
            progress.say(f"{self.num_train} training samples go round to fill a batch of {self.config.batch_size}")
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
        """Trains, evaluates and saves one epoch; a stop on the way is saved at its step boundary and raised."""
        progress.start_epoch()
        exit_code = self.trainer.train_epoch(self.stop, progress)
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
            len(self.test_split),
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
            save_scores(self.run_dir / SCORES, evaluation.scores, self.test_split)
        self._save(best=is_best)

    def _save(self, best: bool) -> None:
        """Saves the state in the first process; the others wait, so that none ends the run before it is saved."""
        self.trainer.check_finite()
        if self.world.is_first:
            write_history(self.run_dir, self.state.history)
            checkpoint.save(
                self.run_dir / CHECKPOINTS,
                self.trainer.state(),
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


def load_split(dataset: dict[str, Any], name: str) -> Split:
    split: Split = build(dataset, split=name)
    if not len(split):
        raise DataError(f"the {name} split of dataset={dataset['name']} holds no sample; check what it is made from")
    check_targets(split.targets)
    return split


def evaluation_batches(config: TrainConfig, split: Split, world: World) -> BatchLoader:
    return test_loader(
        split,
        build(config.transforms),
        batch_size=config.microbatch_size,
        rank=world.rank,
        world_size=world.size,
        workers=_num_workers(config.workers, split, world),
        pin_memory=world.device.type == "cuda",
    )


def _build_trainer(config: TrainConfig, split: Split, world: World) -> Trainer:
    torch.manual_seed(config.seed)
    backbone = config.backbone
    model = build_model(
        backbone.library,
        backbone.name,
        len(split.class_names),
        pretrained=backbone.pretrained,
        weights=backbone.weights,
        options=backbone.options,
        head=backbone.head,
        scale=backbone.scale,
        learn_scale=backbone.learn_scale,
    ).to(world.device)
    sampler = TrainSampler(
        num_samples=len(split),
        seed=config.seed,
        batch_size=config.batch_size,
        microbatch_size=config.microbatch_size,
        rank=world.rank,
        world_size=world.size,
    )
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, head_of(model).parameters(), **dataclasses.asdict(config.optim)),
        loss=_build_loss(config.loss, split, world.device),
        batches=train_loader(
            split,
            build(config.transforms),
            sampler,
            workers=_num_workers(config.workers, split, world),
            pin_memory=world.device.type == "cuda",
        ),
        sampler=sampler,
        layout=BatchLayout(
            config.batch_size, config.bucket_size, config.microbatch_size, rank=world.rank, world_size=world.size
        ),
        world=world,
        precision=config.precision,
        seed=config.seed,
        epochs=config.epochs,
        steps_per_epoch=num_steps(len(split), config.batch_size),
    )


def _build_loss(loss: dict[str, Any], split: Split, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss; one that asks for the class frequencies gets those of the training targets."""
    more = {}
    if takes(loss, "class_frequencies"):
        more["class_frequencies"] = torch.from_numpy(class_frequencies(split.targets))
    built: Callable[[Tensor, Tensor], Tensor] = build(loss, **more)
    return built.to(device) if isinstance(built, nn.Module) else built


def _num_workers(workers: int | None, split: Split, world: World) -> int:
    """Loader processes: as configured, or one per core for image files and none for images in memory."""
    if workers is not None:
        return workers
    return 0 if hasattr(split.images, "dtype") else max(1, usable_cores() // world.size)


def evaluate(config: EvaluateConfig) -> None:
    """Scores a finished run again and prints the metrics.

    Raises:
        CheckpointError: there is no such run, or it is not finished.
    """
    run_dir = _find_run(config)
    record = read_record(run_dir)
    if record is None or record["status"] != FINISHED:
        raise CheckpointError(
            f"{run_dir} holds no finished run ({record['status'] if record else 'no record'})\n"
            "Give the directory or the id of one as run=..., or finish it by its own command first."
        )
    # The loss, which may be the user's own, is not built here.
    refuse_foreign_targets({name: record["config"][name] for name in ("dataset", "transforms")}, str(run_dir))
    run_processes(_evaluate_process, config, record, run_dir, num_processes=config.devices)


def _find_run(config: EvaluateConfig) -> Path:
    within = Path(config.runs_dir) / config.run
    return within if within.is_dir() else Path(config.run)


def _evaluate_process(config: EvaluateConfig, record: dict[str, Any], run_dir: Path) -> None:
    trained = _config_of(record)
    trained.workers = config.workers
    if config.root is not None:
        trained.dataset["root"] = config.root
    with join_world() as world, stop_request() as stop:
        split = load_split(trained.dataset, config.split)
        backbone = trained.backbone
        model = build_model(
            backbone.library,
            backbone.name,
            len(split.class_names),
            options=backbone.options,
            head=backbone.head,
            scale=backbone.scale,
            learn_scale=backbone.learn_scale,
        )
        model.load_state_dict(_weights(run_dir, config.weights))
        batches = evaluation_batches(trained, split, world)
        scores = predict(model.to(world.device), batches, len(split), trained.microbatch_size, world, stop)
        if scores is None:
            raise StoppedError("the evaluation was stopped", world.max(stop.exit_code))
        if world.is_first:
            metrics = score(scores, split).metrics
            say(f"{in_percent(metrics)}   ({config.split} split, {config.weights} epoch of {run_dir})")


def _config_of(record: dict[str, Any]) -> TrainConfig:
    """The configuration that a record holds."""
    content = dict(record["config"])
    content["backbone"] = BackboneConfig(**content["backbone"])
    content["optim"] = OptimConfig(**content["optim"])
    return TrainConfig(**content)


def _weights(run_dir: Path, which: str) -> dict[str, torch.Tensor]:
    if which == "last":
        return checkpoint.load_weights(run_dir / WEIGHTS)
    state = checkpoint.load_best(run_dir / CHECKPOINTS)
    if state is None:
        raise CheckpointError(f"{run_dir} holds no best checkpoint; take weights=last")
    model_state: dict[str, torch.Tensor] = state["model"]
    return model_state


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
