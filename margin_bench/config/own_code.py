"""Tell by a checksum whether the code of a user's own parts has changed. Nothing is imported for it."""

import importlib.util
import re
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from margin_bench.runtime.files import sha256

OWN = "margin_bench"


def own_code_sha256(config: dict[str, Any]) -> dict[str, str]:
    """Return the checksum of the file of each `_target_` that is not ours, by dotted path.

    What that file imports is not looked at.

    Args:
        config: a `TrainConfig` as a dictionary.
    """
    found = {}
    for target in sorted(set(_targets(config))):
        file = _file_of(target)
        if file is not None:
            found[target] = sha256(file)
    return found


def _targets(section: dict[str, Any]) -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _targets(value)
        elif key in ("_target_", "function") and isinstance(value, str) and value.partition(".")[0] != OWN:
            yield value


def _file_of(target: str) -> Path | None:
    """Return the file of the module that a dotted path begins with; None where it has none in Python."""
    first, *rest = re.split("[.:]", target)
    try:
        spec = importlib.util.find_spec(first)
    except ValueError:
        return None
    name = first
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            break
        name = f"{name}.{part}"
        inner = PathFinder.find_spec(name, spec.submodule_search_locations)
        if inner is None:
            break
        spec = inner
    file = Path(spec.origin) if spec is not None and spec.origin is not None else None
    return file if file is not None and file.suffix == ".py" and file.is_file() else None
