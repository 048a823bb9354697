"""Say which run a configuration is: all of it that decides the result, and the id that is made of that.

Imports no torch.
"""

import dataclasses
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from margin_bench.config.schema import SCHEMAS, TrainConfig, introductions, introductions_in_groups
from margin_bench.errors import DataError
from margin_bench.runtime.files import sha256

Content = dict[str, Any]

# Keys that never change a result.
NOT_IDENTITY = (
    "workers",
    "devices",
    "runs_dir",
    "tracker",
    "evaluate_every",
    "dataset.root",
    "dataset.about",
    "transforms.about",
    "loss.about",
)

_BELOW = tuple(f"{key}." for key in NOT_IDENTITY)

# Files, which count by their content.
BY_CONTENT = ("backbone.weights", "dataset.file", "dataset.test_file")


def decides(key: str) -> bool:
    """Return whether the value of a dotted key can change a run's result."""
    return not f"{key}.".startswith(_BELOW)


def run_id(config: TrainConfig) -> str:
    """Return the id of a run: a readable name, and a hash of all that decides the result."""
    return id_of(identity(dataclasses.asdict(config)))


def identity(config: Content) -> Content:
    """Return the part of a configuration that decides a run's result, with files by their content.

    Args:
        config: a `TrainConfig` as a dictionary.

    Raises:
        DataError: a file that counts by its content cannot be read.
    """
    content = deciding(config)
    for key in BY_CONTENT:
        _take_out(content, key)
    for key, digest in files_sha256(config).items():
        section, _, name = key.partition(".")
        content[section][f"{name}_sha256"] = digest
    return content


def deciding(config: Content) -> Content:
    """Return the part of a configuration that decides a run's result, with files by their paths.

    A key at the value that it was introduced with is left out: so a new key changes no id.

    Args:
        config: a `TrainConfig` as a dictionary, or some of its sections.
    """
    content = copied(config)
    introduced = introductions(SCHEMAS["train"]) | introductions_in_groups(config)
    unchanged = [key for key, value in introduced.items() if _has(config, key, value)]
    for key in (*NOT_IDENTITY, *unchanged):
        _take_out(content, key)
    return content


def files_sha256(config: Content) -> dict[str, str]:
    """Return the checksum of each file that a configuration names and that counts by its content, by dotted key."""
    named = {key: config[section].get(name) for key in BY_CONTENT for section, _, name in [key.partition(".")]}
    return {key: _sha256(key, path) for key, path in named.items() if path is not None}


def id_of(content: Content) -> str:
    """Return the id of a run whose identity is `content`; its `precision` must be resolved.

    It is a file name: letters and digits of ASCII, `.`, `_` and `-`.
    """
    assert content["precision"] != "auto"
    canonical = json.dumps(content, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    loss = content["loss"]
    way = [str(loss["way"])] if "way" in loss else []
    names = [str(content["dataset"]["name"]), str(content["backbone"]["name"]), str(loss["name"]), *way]
    return "-".join([*map(_file_name, names), f"seed{content['seed']}", digest])


def copied(content: Content) -> Content:
    """Return a copy of a dictionary and of those in it; other values are shared."""
    return {key: copied(value) if isinstance(value, dict) else value for key, value in content.items()}


def _has(content: Content, key: str, value: Any) -> bool:
    """Return whether a dotted key is there, with this value."""
    *parents, name = key.split(".")
    for parent in parents:
        content = content.get(parent, {})
    return name in content and bool(content[name] == value)


def _take_out(content: Content, key: str) -> None:
    """Take a dotted key out of nested mappings, if it is there."""
    *parents, name = key.split(".")
    for parent in parents:
        content = content.get(parent, {})
    content.pop(name, None)


def _file_name(name: str) -> str:
    """Return the name with `_` for every character that a file name should not have."""
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
    """Return the checksum of a file, read once as long as its size and its time of change stay the same."""
    return sha256(Path(path))
