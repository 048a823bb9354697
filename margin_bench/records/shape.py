"""Tell whether a record says all that a record of this version says. Imports no torch.

Its checksum tells that nobody changed it by accident, not that it was written by us.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from margin_bench.config.schema import TrainConfig
from margin_bench.errors import CheckpointError
from margin_bench.records.record import DIVERGED, FAILED, FINISHED, RECORD, RUNNING, STOPPED

NUMBER = (int, float)
STATUSES = (RUNNING, FINISHED, FAILED, DIVERGED, STOPPED)

OF_ALL: dict[str, Any] = {
    "run_id": str,
    "status": str,
    "seed": int,
    "metric_protocol": str,
    "num_processes": int,
    "files_sha256": dict,
    "environment.versions": dict,
    "environment.hardware.cpu": str,
    "environment.hardware.cores": int,
    "environment.hardware.gpus": list,
    "config": dict,
}
OF_A_FINISHED_RUN: dict[str, Any] = {
    "ended": str,
    "history": list,
    "weights_sha256": str,
    "dataset.num_train": int,
    "dataset.num_test": int,
    "dataset.class_names": list,
    "dataset.labels_per_sample": NUMBER,
    "dataset.fingerprints.train": str,
    "dataset.fingerprints.test": str,
    "metrics.map_class": NUMBER,
    "metrics.map_sample": NUMBER,
    "metrics.classes_left_out": int,
    "metrics.samples_left_out": int,
    "durations.train_seconds": NUMBER,
    "durations.evaluate_seconds": NUMBER,
}
OF_THE_OPEN_GROUPS = {"dataset.name": str, "dataset._target_": str, "transforms._target_": str, "loss._target_": str}


def oddity_of(record: Mapping[str, Any]) -> str | None:
    """Return what a record lacks or has of another kind than it must; None if it is whole.

    Examples:
        >>> oddity_of({"status": "finished", "run_id": 3})
        'run_id is missing or odd'
    """
    return next(_oddities(record), None)


def check_shape(record: Mapping[str, Any], run_dir: Path) -> None:
    """Refuse a record that is not whole.

    Raises:
        CheckpointError: names the first oddity.
    """
    if oddity := oddity_of(record):
        raise CheckpointError(
            f"{run_dir / RECORD} is no record of a run: {oddity}.\nDelete the run's folder {run_dir} and run it again."
        )


def _oddities(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each oddity; what is asked for later may rest on what was before it."""
    yield from _missing(record, OF_ALL)
    if record.get("status") not in STATUSES:
        yield f"status is {record.get('status')!r}"
    if record.get("status") == FINISHED:
        yield from _missing(record, OF_A_FINISHED_RUN)
        if not all(isinstance(name, str) for name in _at(record, "dataset.class_names") or []):
            yield "dataset.class_names are not all text"
        if not all(0 <= _at(record, f"metrics.{name}") <= 1 for name in ("map_class", "map_sample")):
            yield "metrics are not all in 0..1"
    content = _at(record, "config")
    yield from _section_oddities(TrainConfig, content, "config.")
    yield from (f"config.{each}" for each in _missing(content, OF_THE_OPEN_GROUPS))


def _missing(content: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in wanted.items():
        value = _at(content, key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield f"{key} is missing or odd"


def _section_oddities(schema: type, content: Any, prefix: str) -> Iterator[str]:
    """Yield a line for each key of a section that is missing, or has a value of another type than the schema says."""
    if not isinstance(content, Mapping):
        yield f"{prefix.rstrip('.')} is missing or odd"
        return
    for entry in dataclasses.fields(schema):
        name = f"{prefix}{entry.name}"
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            yield from _section_oddities(entry.type, content.get(entry.name), f"{name}.")
        elif entry.name not in content:
            if "since" not in entry.metadata:
                yield f"{name} is missing or odd"
        elif not _is_of(content[entry.name], entry.type):
            yield f"{name} is missing or odd"


def _is_of(value: Any, declared: Any) -> bool:
    """Return whether a value that was read from JSON is of the declared type; a whole number is a float."""
    if declared is Any:
        return True
    if get_origin(declared) is dict:
        return isinstance(value, dict)
    if declared is float:
        return type(value) in NUMBER
    if isinstance(declared, type):
        return type(value) is declared
    return any(_is_of(value, each) for each in get_args(declared)) if _is_union(declared) else False


def _is_union(declared: Any) -> bool:
    return get_origin(declared) is Union or type(declared).__name__ == "UnionType"


def _at(content: Any, key: str) -> Any:
    """Return the value at a dotted key; None where there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
