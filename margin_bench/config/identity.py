"""Say which run a configuration is: all of it that decides the result, and the id that is made of that.

Imports no torch.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from margin_bench.config.dotted import Content, copied, put, take_out, value_at
from margin_bench.config.schema import SCHEMAS, TrainConfig, introductions, introductions_in_groups
from margin_bench.errors import ConfigError, DataError
from margin_bench.runtime.files import sha256

# Keys that never change a result.
NOT_IDENTITY = (
    "workers",
    "devices",
    "runs_dir",
    "tracker",
    "diagnostics",
    "loader_timeout",
    "process_timeout",
    "evaluate_every",
    "dataset.root",
    "dataset.about",
    "transforms.about",
    "loss.about",
    "loss.name",
)

# Files, which count by their content.
BY_CONTENT = ("backbone.weights", "dataset.file", "dataset.test_file")

CRITERION = "margin_bench.losses.CriterionLoss"
GE2E = "margin_bench.losses.GE2ELoss"

_BELOW = tuple(f"{key}." for key in NOT_IDENTITY)


def _has_linear_head(config: Content) -> bool:
    return bool(value_at(config, "backbone.head") == "linear")


def _has_weights_of_a_file(config: Content) -> bool:
    return value_at(config, "backbone.weights") is not None


def _mines_without_chance(config: Content) -> bool:
    is_ours = str(value_at(config, "loss._target_")).startswith("margin_bench.losses.")
    return is_ours and value_at(config, "loss.mining") not in (None, "random")


def _is_ge2e_with_softmax(config: Content) -> bool:
    return bool(value_at(config, "loss._target_") == GE2E and value_at(config, "loss.form") == "softmax")


# Keys that change no result where something else is so.
IDLE: dict[str, Callable[[Content], bool]] = {
    "backbone.scale": _has_linear_head,
    "backbone.learn_scale": _has_linear_head,
    "backbone.pretrained": _has_weights_of_a_file,
    "loss.seed": _mines_without_chance,
    "loss.bias": _is_ge2e_with_softmax,
}


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
        ConfigError: a key that names a file has no text.
        DataError: a file that counts by its content cannot be read.
    """
    return identity_by(config, files_sha256(config))


def identity_by(config: Content, digests: dict[str, str]) -> Content:
    """Return the identity of a configuration, whose files need not be here.

    Args:
        config: a `TrainConfig` as a dictionary.
        digests: what `files_sha256` says of it.
    """
    content = deciding(config)
    for key in BY_CONTENT:
        take_out(content, key)
    for key, digest in digests.items():
        put(content, f"{key}_sha256", digest)
    return content


def deciding(config: Content) -> Content:
    """Return the part of a configuration that decides a run's result, with files by their paths.

    Keys that cannot matter are left out, and keys at the value that they were introduced with: so a new one changes no
    id.

    Args:
        config: a `TrainConfig` as a dictionary, or some of its sections.
    """
    content = copied(config)
    introduced = introductions(SCHEMAS["train"]) | introductions_in_groups(config)
    unchanged = [key for key, value in introduced.items() if value_at(config, key) == value]
    idle = [key for key, is_idle in IDLE.items() if is_idle(config)]
    for key in (*NOT_IDENTITY, *unchanged, *idle):
        take_out(content, key)
    return content


def files_sha256(config: Content) -> dict[str, str]:
    """Return the checksum of each file that a configuration names and that counts by its content, by dotted key."""
    named = {key: value_at(config, key) for key in BY_CONTENT}
    return {key: _sha256(key, path) for key, path in named.items() if path is not None}


def id_of(content: Content) -> str:
    """Return the id of a run whose identity is `content`; its `precision` must be resolved.

    It is a file name: letters and digits of ASCII, `.`, `_` and `-`.
    """
    assert content["precision"] != "auto"
    canonical = json.dumps(_without_negative_zeros(content), sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    loss = content["loss"]
    way = [str(loss["way"])] if "way" in loss else []
    names = [str(content["dataset"]["name"]), str(content["backbone"]["name"]), _code_of(loss), *way]
    return "-".join([*map(_file_name, names), f"seed{content['seed']}", digest])


def _without_negative_zeros(value: Any) -> Any:
    """Return the value with 0.0 for each -0.0, which is equal and yet another text."""
    if isinstance(value, dict):
        return {key: _without_negative_zeros(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_negative_zeros(each) for each in value]
    return value + 0.0 if isinstance(value, float) else value


def _code_of(loss: Content) -> str:
    """Return the name of the class or function that a loss is, as it stands in the code."""
    path = loss["function"] if loss["_target_"] == CRITERION else loss["_target_"]
    return re.split("[.:]", str(path))[-1]


def _file_name(name: str) -> str:
    """Return the name with `_` for every character that a file name should not have."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return safe.replace(".", "_") if safe in (".", "..") else safe


def _sha256(key: str, path: Any) -> str:
    if not isinstance(path, str):
        raise ConfigError(f"{key}={path}: expected a file's name")
    try:
        state = Path(path).stat()
        return _sha256_of_state(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{key}={path} cannot be read: {error.strerror}; give an existing file") from error


@cache
def _sha256_of_state(path: str, size: int, changed: int) -> str:
    """Return the checksum of a file, read once as long as its size and its time of change stay the same."""
    return sha256(Path(path))
