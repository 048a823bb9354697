"""Read and change nested dictionaries by dotted keys, as `optim.head_lr`."""

from collections.abc import Iterator
from typing import Any

Content = dict[str, Any]


def copied(content: Content) -> Content:
    """Return a copy of a dictionary and of those in it; other values are shared."""
    return {key: copied(value) if isinstance(value, dict) else value for key, value in content.items()}


def value_at(content: Content, key: str) -> Any:
    """Return the value of a dotted key; None where there is none."""
    node: Any = content
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def has(content: Content, key: str) -> bool:
    """Return whether a dotted key is there, whatever its value."""
    parent, _, name = key.rpartition(".")
    node = value_at(content, parent) if parent else content
    return isinstance(node, dict) and name in node


def put(content: Content, key: str, value: Any) -> None:
    """Give a dotted key a value; the dictionaries on the way are made where they are not there."""
    *parents, name = key.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
    content[name] = value


def take_out(content: Content, key: str) -> None:
    """Take a dotted key out, if it is there, and with it the dictionaries that have nothing else."""
    name, _, rest = key.partition(".")
    if rest and isinstance(content.get(name), dict) and content[name]:
        take_out(content[name], rest)
        if content[name]:
            return
    elif rest:
        return
    content.pop(name, None)


def leaves_of(content: Content, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every entry that is not itself a mapping."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
