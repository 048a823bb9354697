"""What a table holds, as its YAML file in `configs/table/` says; `docs/tables.md` has the grammar. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from margin_bench.config import configs_dir
from margin_bench.errors import ConfigError, nearest

SCORES = ("map_class", "map_sample")
FACTS = ("num_classes", "num_train", "num_test", "labels_per_sample")

# Reads YAML as Hydra does, where `1e-4` is a number; in C, which is ten times as fast, where PyYAML was built with it.
_LOADER = type(
    "_Loader",
    (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
    {"yaml_implicit_resolvers": get_yaml_loader().yaml_implicit_resolvers},
)


@dataclass(frozen=True)
class Entry:
    """A row or a column: its label, and the overrides of its cells."""

    label: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """The rows or the columns of a block; a block without them has one that is nameless, with one entry."""

    name: str
    entries: tuple[Entry, ...]


NO_AXIS = Axis("", (Entry("", ()),))


@dataclass(frozen=True)
class Block:
    """A part of a table.

    Attributes:
        words: the overrides of all its cells, those of the whole table among them.
        published: by measure, label of the row and label of the column; None where it is not known.
    """

    name: str
    words: tuple[str, ...]
    rows: Axis
    columns: Axis
    published: dict[tuple[str, str, str], float | None]

    def pairs(self) -> Iterator[tuple[Entry, Entry]]:
        """The row and the column of every cell."""
        return ((row, column) for row in self.rows.entries for column in self.columns.entries)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        measures: what its cells tell: scores of runs, or facts about data sets.
    """

    name: str
    caption: str
    measures: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def is_of_facts(self) -> bool:
        return self.measures[0] in FACTS


def config_dirs(config_dir: str | None) -> list[Path]:
    """The folders of YAML files, the user's own first."""
    return [*([Path(config_dir)] if config_dir else []), configs_dir()]


def table_names(dirs: list[Path]) -> list[str]:
    return sorted({path.stem for folder in dirs for path in (folder / "table").glob("*.yaml")})


def read_table(name: str, dirs: list[Path]) -> Table:
    """One table.

    Raises:
        ConfigError: there is none of that name, or its file does not say what it must.
    """
    path = find(dirs, "table", name)
    if path is None:
        known = table_names(dirs)
        raise ConfigError(f"there is no table {name}{nearest(name, known)} (known: {', '.join(known)})")
    content = read_yaml(path)
    try:
        return _table(name, content, dirs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path} is no table: {cause}\ndocs/tables.md shows what a table must say.") from error


def find(dirs: list[Path], group: str, option: str) -> Path | None:
    """The YAML file of a group's option, in the first folder that has it."""
    paths = (folder / group / f"{option}.yaml" for folder in dirs)
    return next((path for path in paths if path.is_file()), None)


def read_yaml(path: Path) -> Any:
    """What a YAML file says.

    Raises:
        ConfigError: it is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error


def _table(name: str, content: dict[str, Any], dirs: list[Path]) -> Table:
    measures = tuple(content.get("measures", SCORES))
    if not (set(measures) <= set(SCORES) or set(measures) <= set(FACTS)) or not measures:
        raise ValueError(f"measures: expected some of {', '.join(SCORES)}, or some of {', '.join(FACTS)}")
    _refuse_unknown(content, {"caption", "measures", "base", "rows", "columns", "blocks", "published"})
    shared: dict[str, Any] = {key: content[key] for key in ("rows", "columns", "published") if key in content}
    blocks = content.get("blocks", {"": {}})
    return Table(
        name,
        caption=str(content["caption"]),
        measures=measures,
        blocks=tuple(
            _block(str(label), _words(content.get("base")), {**shared, **block}, dirs)
            for label, block in blocks.items()
        ),
    )


def _block(name: str, words: tuple[str, ...], content: dict[str, Any], dirs: list[Path]) -> Block:
    _refuse_unknown(content, {"base", "rows", "columns", "published"})
    rows, columns = (_axis(content.get(key), dirs) for key in ("rows", "columns"))
    published = {
        (measure, row.label, column.label): number
        for measure, numbers in content.get("published", {}).items()
        for row, line in zip(rows.entries, _lines(numbers, rows), strict=True)
        for column, number in zip(columns.entries, line if columns is not NO_AXIS else [line], strict=True)
    }
    return Block(name, words + _words(content.get("base")), rows, columns, published)


def _lines(numbers: Any, rows: Axis) -> list[Any]:
    """The published numbers of each row: in their order, or by their labels."""
    if rows is NO_AXIS:
        return [numbers]
    return [numbers[entry.label] for entry in rows.entries] if isinstance(numbers, dict) else list(numbers)


def _axis(content: dict[str, Any] | None, dirs: list[Path]) -> Axis:
    if content is None:
        return NO_AXIS
    _refuse_unknown(content, {"name", "key", "values"})
    values, key = content["values"], content.get("key")
    if key == "loss" and isinstance(values, str):
        values = _losses(values, dirs)
    if isinstance(values, dict):
        entries = [Entry(str(label), _words(words)) for label, words in values.items()]
    else:
        entries = [Entry(_in_words(value, "g"), (f"{content['key']}={_in_words(value)}",)) for value in values]
    return Axis(str(content["name"]), tuple(entries))


def _losses(kind: str, dirs: list[Path]) -> list[str]:
    """The names of all losses of a kind, as their files tell."""
    files = {path.stem: path for folder in reversed(dirs) for path in (folder / "loss").glob("*.yaml")}
    found = [name for name, path in sorted(files.items()) if read_yaml(path).get("about", {}).get("kind") == kind]
    if not found:
        raise ValueError(f"there is no loss of the kind {kind}; take relative, point-wise or a list of names")
    return found


def _words(text: str | list[str] | None) -> tuple[str, ...]:
    words = text.split() if isinstance(text, str) else [str(word) for word in text or []]
    if wrong := [word for word in words if not word.partition("=")[1] or word[0] in "+~"]:
        raise ValueError(f"{wrong[0]}: expected key=value")
    return tuple(words)


def _in_words(value: Any, float_format: str = "") -> str:
    """A value as it stands in an override; a number of a label is shorter."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return format(value, float_format) if isinstance(value, float) else str(value)


def _refuse_unknown(content: dict[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise ValueError(f"there is no key {key}{nearest(str(key), known)} (known: {', '.join(sorted(known))})")
