"""Read YAML files as Hydra does, and faster. Imports no torch."""

from pathlib import Path
from typing import Any

import yaml

from margin_bench.config.hydra_internals import yaml_resolvers
from margin_bench.errors import ConfigError
from margin_bench.runtime.files import read_regular

MOST_CHARACTERS = 1 << 20
MOST_VALUES = 100_000
LONGEST_CAUSE = 300  # characters


def _mapping(loader: Any, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    """Construct a mapping as PyYAML does, but refuse a key that is there twice."""
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if twins := [key for key in keys if keys.count(key) > 1]:
        raise yaml.constructor.ConstructorError(None, None, f"{twins[0]} is there twice", node.start_mark)
    content: dict[Any, Any] = yaml.SafeLoader.construct_mapping(loader, node, deep)
    return content


# Reads YAML as Hydra does, where `1e-4` is a number; in C, which is ten times as fast, where PyYAML was built with it.
_LOADER = type(
    "_Loader",
    (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
    {"yaml_implicit_resolvers": yaml_resolvers(), "construct_mapping": _mapping},
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return what a YAML file says, key by key.

    Raises:
        ConfigError: it cannot be read, is no YAML, refers to itself, is too large, or has no keys.
    """
    try:
        content = yaml.load(_text(path), _LOADER) or {}
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())[:LONGEST_CAUSE]}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys with values, got {str(content)[:LONGEST_CAUSE]}")
    return content


def check_yaml_files(folder: Path) -> None:
    """Refuse the YAML files of a user's that nobody could read: which Hydra would begin to read, and not end.

    Raises:
        ConfigError: as `read_yaml`.
    """
    for path in sorted(folder.rglob("*.yaml")):
        if path.is_symlink() or path.exists():
            try:
                _text(path)
            except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
                raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())[:LONGEST_CAUSE]}") from error


def _text(path: Path) -> str:
    """Return the text of a YAML file, unless what it says is endless or huge.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it is no text, or too large.
        yaml.YAMLError: it is no YAML.
    """
    text = read_regular(path).decode()
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, more than {MOST_CHARACTERS:,}")
    if (root := yaml.compose(text, _LOADER)) is not None:
        _check_size(root, {}, set())
    return text


def _check_size(node: yaml.Node, sizes: dict[int, int], above: set[int]) -> int:
    """Return how many values a node stands for with all that it refers to.

    Raises:
        ValueError: they are too many, or it refers to itself.
    """
    if id(node) in above:
        raise ValueError("it refers to itself")
    if id(node) not in sizes:
        above.add(id(node))
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        items = [part for pair in pairs for part in pair] if pairs else node.value
        parts = items if isinstance(node, yaml.CollectionNode) else []
        sizes[id(node)] = 1 + sum(_check_size(part, sizes, above) for part in parts)
        above.discard(id(node))
    if sizes[id(node)] > MOST_VALUES:
        raise ValueError(f"what it refers to stands for more than {MOST_VALUES:,} values")
    return sizes[id(node)]
