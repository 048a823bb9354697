"""A finished run scored again: `margin-bench evaluate`."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor

from margin_bench import checkpoint
from margin_bench.build import refuse_foreign_targets
from margin_bench.config import EvaluateConfig, TrainConfig, typed
from margin_bench.distributed import World, join_world, run_processes
from margin_bench.errors import CheckpointError, StoppedError
from margin_bench.evaluate import predict, score
from margin_bench.files import sha256
from margin_bench.parts import evaluation_batches, load_split, model_of
from margin_bench.record import find_run, read_finished
from margin_bench.run import CHECKPOINTS, WEIGHTS
from margin_bench.signals import StopRequest, stop_request
from margin_bench.summary import in_percent
from margin_bench.tracking import say


def evaluate(config: EvaluateConfig) -> None:
    """Scores a finished run again and prints the metrics.

    Raises:
        CheckpointError: there is no such run, it is not finished, or its weights are not those of its record.
        ConfigError: its data set is not ours and the user has not said that it is to be trusted.
    """
    run_dir = find_run(config.run, Path(config.runs_dir))
    record = read_finished(run_dir)
    if not config.trust:
        # The loss, which may be the user's own, is not built here.
        refuse_foreign_targets({name: record["config"][name] for name in ("dataset", "transforms")}, str(run_dir))
    run_processes(_evaluate_process, config, record, run_dir, num_processes=config.devices)


def _evaluate_process(config: EvaluateConfig, record: dict[str, Any], run_dir: Path) -> None:
    with join_world() as world, stop_request() as stop:
        metrics = _evaluate(config, record, run_dir, world, stop)
        if world.is_first:
            say(f"{in_percent(metrics)}   ({config.split} split, {config.weights} epoch of {run_dir})")


def _evaluate(
    config: EvaluateConfig, record: dict[str, Any], run_dir: Path, world: World, stop: StopRequest
) -> dict[str, float | int]:
    trained = _config_of(record)
    trained.workers = config.workers
    if config.root is not None:
        trained.dataset["root"] = config.root
    split = load_split(trained.dataset, config.split)
    model = model_of(trained.backbone, len(split.class_names), pretrained=False)
    model.load_state_dict(_weights(run_dir, config.weights, record["weights_sha256"]))
    batches = evaluation_batches(trained, split, world)
    scores = predict(model.to(world.device), batches, split.targets.shape, trained.microbatch_size, world, stop)
    if scores is None:
        raise StoppedError("the evaluation was stopped", world.max(stop.exit_code))
    return score(scores, split).metrics


def _config_of(record: dict[str, Any]) -> TrainConfig:
    """The configuration that a record holds."""
    config: TrainConfig = typed("train", OmegaConf.create(record["config"]))
    return config


def _weights(run_dir: Path, which: str, expected_sha256: str) -> dict[str, Tensor]:
    if which == "last":
        path = run_dir / WEIGHTS
        if not path.is_file() or sha256(path) != expected_sha256:
            raise CheckpointError(
                f"{path} is missing or not what the record says: another SHA-256\n"
                "Take weights=best, or delete the run's folder and run it again."
            )
        return checkpoint.load_weights(path)
    state = checkpoint.load_best(run_dir / CHECKPOINTS)
    if state is None:
        raise CheckpointError(f"{run_dir} holds no best checkpoint; take weights=last")
    model_state: dict[str, Tensor] = state["model"]
    return model_state
