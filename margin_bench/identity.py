"""The identity of a run: its name, and all of its configuration that decides the result. Imports no torch."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from margin_bench.config import TrainConfig
from margin_bench.errors import DataError
from margin_bench.files import sha256

# What cannot change the result of a run, and so is no part of its identity. `backbone.weights` counts by its content.
NOT_IDENTITY = (
    "workers",
    "devices",
    "runs_dir",
    "tracker",
    "evaluate_every",
    "dataset.root",
    "dataset.about",
    "backbone.weights",
    "loss.about",
)


def identity(config: TrainConfig) -> dict[str, Any]:
    """The part of a configuration that decides a run's result; `precision` must be resolved."""
    assert config.precision != "auto"
    content = dataclasses.asdict(config)
    for key in NOT_IDENTITY:
        *parents, name = key.split(".")
        node = content
        for parent in parents:
            node = node[parent]
        node.pop(name, None)
    if config.backbone.weights is not None:
        content["backbone"]["weights_sha256"] = _weights_sha256(config.backbone.weights)
    return content


def run_id(config: TrainConfig) -> str:
    """A readable name and a hash of all that decides the result: the same command has the same id everywhere.

    It is a file name: letters and digits of ASCII, `.`, `_` and `-`.
    """
    canonical = json.dumps(identity(config), sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    way = [str(config.loss["way"])] if "way" in config.loss else []
    names = [str(config.dataset["name"]), config.backbone.name, str(config.loss["name"]), *way]
    return "-".join([*map(_file_name, names), f"seed{config.seed}", digest])


def _file_name(name: str) -> str:
    """The name with `_` for every character that a file name should not have."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return safe.replace(".", "_") if safe in (".", "..") else safe


def _weights_sha256(path: str) -> str:
    try:
        return sha256(Path(path))
    except OSError as error:
        raise DataError(f"backbone.weights={path} cannot be read: {error.strerror}; give an existing file") from error
