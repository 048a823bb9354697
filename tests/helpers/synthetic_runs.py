"""Records of runs that nobody ran: what tables are made of, with numbers that a test can follow."""

import dataclasses
import random
from functools import cache
from pathlib import Path
from typing import Any

from margin_bench.config.identity import files_sha256, id_of, identity
from margin_bench.config.schema import typed
from margin_bench.config.sources import Sources
from margin_bench.records.paths import without_paths
from margin_bench.records.record import write_record
from margin_bench.tables.identities import Identities

ENVIRONMENT = {
    "versions": {"python": "3.11.7", "margin_bench": "0.2.0", "torch": "2.10.0"},
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "hardware": {"cpu": "A processor", "cores": 2, "memory_gib": 8.0, "gpus": [], "threads": 2},
    "platform": "Linux",
    "command": ["margin-bench", "train"],
}
ANY_SEED = 2**62  # stands for the seed where one composition serves all seeds
MEASURED_IN_AN_EPOCH = (
    *("loss", "learning_rate", "gradient_norm"),
    *("violating_samples", "counting_samples", "margin_05_samples", "margin_50_samples", "margin_95_samples"),
    *("violating_classes", "counting_classes", "margin_05_classes", "margin_50_classes", "margin_95_classes"),
)


@cache
def identities() -> Identities:
    return Identities(Sources())


def write_run(
    runs_dir: Path,
    words: str,
    seed: int = 0,
    scores: tuple[float, float] = (50.0, 70.0),
    precision: str = "fp32",
    own: Path | None = None,
    **changes: Any,
) -> Path:
    """Write the record of a run; return its directory.

    Args:
        words: the run's overrides, separated by spaces.
        scores: mAP@class and mAP@sample in percent.
        own: the user's folder of YAML files, if there is one.
        changes: of entries of the record; of `dataset`, of some of its entries.
    """
    record = record_of(words, seed, scores, precision, own)
    run_dir: Path = runs_dir / record["run_id"]
    if "dataset" in changes:
        changes["dataset"] = record["dataset"] | changes["dataset"]
    write_record(run_dir, record | changes)
    return run_dir


def record_of(
    words: str,
    seed: int = 0,
    scores: tuple[float, float] = (50.0, 70.0),
    precision: str = "fp32",
    own: Path | None = None,
) -> dict[str, Any]:
    """Return the record that `write_run` writes."""
    config = _with_seed(_config(words, precision, Sources(own)), seed)
    metrics = {
        "map_class": scores[0] / 100,
        "map_sample": scores[1] / 100,
        "classes_left_out": 0,
        "samples_left_out": 0,
    }
    return {
        "status": "finished",
        "run_id": id_of(identity(config)),
        "config": without_paths(config)[0],
        "files_sha256": files_sha256(config),
        "seed": seed,
        "dataset": {
            "num_train": 8000,
            "num_test": 4000,
            "class_names": [f"class {number}" for number in range(80)],
            "labels_per_sample": 2.9021,
            "fingerprints": {"train": "a" * 64, "test": "b" * 64},
        },
        "metric_protocol": "paper",
        "metrics": metrics,
        "best": {"epoch": 14, **metrics},
        "history": _history(config["epochs"], metrics),
        "weights_sha256": "c" * 64,
        "scores_sha256": "d" * 64,
        "durations": {"train_seconds": 60.0, "evaluate_seconds": 10.0},
        "num_processes": 1,
        "environment": ENVIRONMENT,
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:05:15+00:00",
        "error": None,
    }


@cache
def _config(words: str, precision: str, sources: Sources) -> dict[str, Any]:
    """Return a checked configuration as a dictionary, with `ANY_SEED` for its seed."""
    overrides = [f"precision={precision}", *words.split(), f"seed={ANY_SEED}"]
    with sources.opened():
        return dataclasses.asdict(typed("train", sources.compose("train", overrides)))


def _with_seed(content: Any, seed: int) -> Any:
    if isinstance(content, dict):
        return {key: _with_seed(value, seed) for key, value in content.items()}
    return seed if content == ANY_SEED else content


def _history(epochs: int, metrics: dict[str, float]) -> list[dict[str, float]]:
    numbers = random.Random(0)
    return [
        {"epoch": epoch + 1, **{name: numbers.random() for name in MEASURED_IN_AN_EPOCH}, **metrics}
        for epoch in range(epochs)
    ]
