"""Predict a split once more with the model of a finished run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from margin_bench.config.build import refuse_foreign_targets
from margin_bench.config.schema import EvaluateConfig, TrainConfig, of_record
from margin_bench.errors import CheckpointError, ConfigError, DataError, StoppedError
from margin_bench.metrics.named import named_metrics, values_of
from margin_bench.metrics.protocols import report
from margin_bench.records.paths import located
from margin_bench.runs.parts import class_difference, evaluation_batches, load_split, model_of
from margin_bench.runs.train import CHECKPOINTS, WEIGHTS
from margin_bench.runtime.console import say
from margin_bench.runtime.files import cache_dir, sha256
from margin_bench.runtime.signals import stop_request
from margin_bench.runtime.world import World, join_world, run_processes
from margin_bench.training import checkpoint
from margin_bench.training.models import load_trained
from margin_bench.training.predict import check_finite, predict

# Options of a model that only change its shape or its regularisation.
HARMLESS_OPTIONS = ("drop_rate", "drop_path_rate", "global_pool", "img_size", "in_chans", "output_stride", "patch_size")
MADE_ON_THE_SPOT = "margin_bench.data.digits.load"


def repredict(config: EvaluateConfig, record: dict[str, Any], run_dir: Path) -> None:
    """Run a finished run's model on a split, on any number of processes, and print the metrics.

    Args:
        config: which split and weights, and how to score.
        record: of the run.
        run_dir: the run's directory.

    Raises:
        CheckpointError: its weights are missing, not those of its record, or do not fit its model.
        ConfigError: the record names code that is not ours, and the user has not said trust=true.
        DataError: it is not known where the data are, they have other classes than the run, or as in `load_split`.
        StoppedError: a signal stopped it.
    """
    content = located(record["config"], run_dir, config.root)
    if not config.trust:
        built = {name: content[name] for name in ("dataset", "transforms", "backbone")}  # but not the loss
        refuse_foreign_targets(built, str(run_dir))
        _refuse_other_options(content["backbone"]["options"], run_dir)
    if config.root is None and content["dataset"]["_target_"] == MADE_ON_THE_SPOT:
        content["dataset"]["root"] = str(cache_dir())  # a record does not say where to write
    run_processes(_process, config, {**record, "config": content}, run_dir, num_processes=config.devices)


def _refuse_other_options(options: Mapping[str, Any], run_dir: Path) -> None:
    """Refuse options of a record's backbone that are not known to do no harm.

    Raises:
        ConfigError: names the first.
    """
    for option in options:
        if option not in HARMLESS_OPTIONS:
            raise ConfigError(
                f"{run_dir} names backbone.options.{option}, which a saved file may not set.\n"
                "If the run is your own, say trust=true."
            )


def _process(config: EvaluateConfig, record: dict[str, Any], run_dir: Path) -> None:
    with join_world() as world:
        scores, targets = _predict(config, record, run_dir, world)
        if world.is_first:
            where = f"{config.split} split, {config.weights} epoch of {run_dir}"
            others = values_of(named_metrics(config.metric.names), scores, targets)
            say(report(scores, targets, config.metric.protocol, where, others))


def _predict(
    config: EvaluateConfig, record: dict[str, Any], run_dir: Path, world: World
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    trained: TrainConfig = of_record(record["config"])
    trained.workers = config.workers
    split = load_split(trained.dataset, config.split)
    if difference := class_difference(split.class_names, record["dataset"]["class_names"]):
        raise DataError(
            f"the classes of the data and those that {run_dir} was trained on differ: {difference}\n"
            "Give the data with the same classes in the same order."
        )
    model = model_of(trained.backbone, len(split.class_names), pretrained=False)
    load_trained(model, _weights(run_dir, config.weights, record["weights_sha256"]), run_dir)
    batches = evaluation_batches(trained, split, world)
    with stop_request(trained.loader_timeout) as stop:
        scores = predict(model.to(world.device), batches, split.targets.shape, trained.microbatch_size, world, stop)
        if scores is None:
            raise StoppedError("the evaluation was stopped", world.max(stop.exit_code))
    check_finite(scores)
    return scores, split.targets


def _weights(run_dir: Path, which: str, expected_sha256: str) -> dict[str, Tensor]:
    if which == "last":
        path = run_dir / WEIGHTS
        if _sha256(path) != expected_sha256:
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


def _sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file; None where there is none.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return sha256(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.\nMake it readable.") from error
