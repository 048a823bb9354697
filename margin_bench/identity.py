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

# What cannot change the result of a run, and so is no part of its identity.
NOT_IDENTITY = (
    "workers",
    "devices",
    "runs_dir",
    "tracker",
    "evaluate_every",
    "dataset.root",
    "dataset.about",
    "loss.about",
)

# Files, which count by their content.
BY_CONTENT = ("backbone.weights", "dataset.file", "dataset.test_file")


def identity(config: TrainConfig) -> dict[str, Any]:
    """The part of a configuration that decides a run's result; `precision` must be resolved."""
    assert config.precision != "auto"
    content = dataclasses.asdict(config)
    for key in NOT_IDENTITY:
        _taken_out(content, key)
    for key in BY_CONTENT:
        if (path := _taken_out(content, key)) is not None:
            section, _, name = key.partition(".")
            content[section][f"{name}_sha256"] = _sha256(key, path)
    return content


def _taken_out(content: dict[str, Any], key: str) -> Any:
    """Takes a dotted key out of nested mappings; its value, or None if it is not there."""
    *parents, name = key.split(".")
    for parent in parents:
        content = content[parent]
    return content.pop(name, None)


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


def _sha256(key: str, path: str) -> str:
    try:
        return sha256(Path(path))
    except OSError as error:
        raise DataError(f"{key}={path} cannot be read: {error.strerror}; give an existing file") from error
