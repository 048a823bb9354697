"""The identity of a run: its name, and all of its configuration that decides the result. Imports no torch."""

import dataclasses
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from margin_bench.config.schema import TrainConfig
from margin_bench.errors import DataError
from margin_bench.runtime.files import sha256

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

_BELOW = tuple(f"{key}." for key in NOT_IDENTITY)

# Keys that the first records do not have, each with the value at which it changes nothing and does not count.
LATER = {"backbone._target_": None}

# Files, which count by their content.
BY_CONTENT = ("backbone.weights", "dataset.file", "dataset.test_file")


def decides(key: str) -> bool:
    """Whether the value of a dotted key can decide a run's result."""
    return not f"{key}.".startswith(_BELOW)


def counts(key: str, value: Any) -> bool:
    """Return whether this value of a dotted key can decide a run's result."""
    return decides(key) and not (key in LATER and value == LATER[key])


def run_id(config: TrainConfig) -> str:
    """A readable name and a hash of all that decides the result: the same command has the same id everywhere."""
    return id_of(identity(dataclasses.asdict(config)))


def identity(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration, a `TrainConfig` as a dictionary, that decides a run's result."""
    content = copied(config)
    for key in (*NOT_IDENTITY, *BY_CONTENT):
        _take_out(content, key)
    for key, value in LATER.items():
        section, _, name = key.partition(".")
        if content[section].get(name) == value:
            _take_out(content, key)
    for key, digest in files_sha256(config).items():
        section, _, name = key.partition(".")
        content[section][f"{name}_sha256"] = digest
    return content


def files_sha256(config: dict[str, Any]) -> dict[str, str]:
    """The checksum of each file that a configuration names and that counts by its content, by dotted key."""
    named = {key: config[section].get(name) for key in BY_CONTENT for section, _, name in [key.partition(".")]}
    return {key: _sha256(key, path) for key, path in named.items() if path is not None}


def id_of(content: dict[str, Any]) -> str:
    """The id of a run whose identity is `content`; its `precision` must be resolved.

    It is a file name: letters and digits of ASCII, `.`, `_` and `-`.
    """
    assert content["precision"] != "auto"
    canonical = json.dumps(content, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    loss = content["loss"]
    way = [str(loss["way"])] if "way" in loss else []
    names = [str(content["dataset"]["name"]), str(content["backbone"]["name"]), str(loss["name"]), *way]
    return "-".join([*map(_file_name, names), f"seed{content['seed']}", digest])


def copied(content: dict[str, Any]) -> dict[str, Any]:
    """A copy of a dictionary and of those in it; other values are shared."""
    return {key: copied(value) if isinstance(value, dict) else value for key, value in content.items()}


def _take_out(content: dict[str, Any], key: str) -> None:
    """Takes a dotted key out of nested mappings, if it is there."""
    *parents, name = key.split(".")
    for parent in parents:
        content = content[parent]
    content.pop(name, None)


def _file_name(name: str) -> str:
    """The name with `_` for every character that a file name should not have."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return safe.replace(".", "_") if safe in (".", "..") else safe


def _sha256(key: str, path: str) -> str:
    try:
        state = Path(path).stat()
        return _sha256_of_state(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{key}={path} cannot be read: {error.strerror}; give an existing file") from error


@cache
def _sha256_of_state(path: str, size: int, changed: int) -> str:
    """The checksum of a file, read once as long as its size and its time of change stay the same."""
    return sha256(Path(path))
