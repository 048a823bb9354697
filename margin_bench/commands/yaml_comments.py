"""Read what a YAML file says beside each of its keys, so that the help can say it too."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LINE = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# *(?P<comment>.*))?$")
COLUMN = 34  # where comments begin


def comments_of(path: Path) -> dict[str, str]:
    """Return the comment beside each key that has one, by dotted key."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key: comment for _, key, _, comment in _keys(lines) if comment}


def defaults_in_words(path: Path) -> str:
    """Return a line for each key at the top of a file, with its value and its comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(f"{f'  {key}={value}':<{COLUMN}}{comment}" for _, key, value, comment in _keys(lines))


def with_comments(text: str, comments: Mapping[str, str]) -> str:
    """Put comments beside the keys of a text in YAML.

    Examples:
        >>> print(with_comments("optim:\\n  lr: 0.1", {"optim.lr": "of the head"}))
        optim:
          lr: 0.1                       # of the head
    """
    lines = text.splitlines()
    for number, key, _, _ in _keys(lines):
        if key in comments:
            lines[number] = f"{lines[number]:<{COLUMN - 4}}  # {comments[key]}"
    return "\n".join(lines)


def _keys(lines: Iterable[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yield each line that has a key: its number, the dotted key, the value and the comment."""
    parents: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if match := LINE.match(line):
            indent = len(match["indent"])
            parents = [*(parent for parent in parents if parent[0] < indent), (indent, match["key"])]
            yield number, ".".join(key for _, key in parents), match["value"].strip(), match["comment"] or ""
