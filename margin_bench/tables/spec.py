"""Read from its YAML file in `configs/table/` what a table holds (docs/tables.md has the grammar). Imports no torch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from margin_bench.config.dotted import value_at
from margin_bench.config.identity import decides
from margin_bench.config.schema import is_for_hydra
from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of, parsed
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError, nearest

SCORES = ("map_class", "map_sample")
FACTS = ("num_classes", "num_train", "num_test", "labels_per_sample")


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
        has_own_axes: whether its rows or columns are not those of the whole table.
    """

    name: str
    words: tuple[str, ...]
    rows: Axis
    columns: Axis
    published: dict[tuple[str, str, str], float | None]
    has_own_axes: bool = False

    def pairs(self) -> Iterator[tuple[Entry, Entry]]:
        """Return the row and the column of every cell."""
        return ((row, column) for row in self.rows.entries for column in self.columns.entries)

    def words_of(self, row: Entry, column: Entry) -> tuple[str, ...]:
        """Return the overrides of a cell."""
        return (*self.words, *row.words, *column.words)


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
        """Return whether its cells tell facts about data sets."""
        return self.measures[0] in FACTS


def read_table(name: str, sources: Sources) -> Table:
    """Read one table.

    Raises:
        ConfigError: there is none of that name, or its file does not say what it must.
    """
    path = sources.find("table", name)
    if path is None:
        known = list(sources.options("table"))
        raise ConfigError(f"there is no table {name}{nearest(name, known)} (known: {', '.join(known)})")
    try:
        return _table(name, read_yaml(path), sources)
    except ValueError as error:
        raise ConfigError(f"{path} is no table: {error}\ndocs/tables.md shows what a table must say.") from error


def _table(name: str, content: dict[str, Any], sources: Sources) -> Table:
    _refuse_unknown("", content, {"caption", "measures", "base", "rows", "columns", "blocks", "published"})
    if "caption" not in content:
        raise ValueError("caption is missing")
    measures = _measures(content.get("measures", SCORES))
    shared: dict[str, Any] = {key: content[key] for key in ("rows", "columns", "published") if key in content}
    base = _words("base", content.get("base"))
    blocks = {
        label: _block(label, base, shared, _section(f"blocks.{label}", block), measures, sources)
        for label, block in _by_label("blocks", content.get("blocks", {"": {}})).items()
    }
    if measures[0] in FACTS:
        _refuse_cells_without_data(blocks.values())
    return Table(name, str(content["caption"]), measures, tuple(blocks.values()))


def _measures(names: Any) -> tuple[str, ...]:
    measures = tuple(names) if isinstance(names, list | tuple) else (names,)
    if not measures or not any(all(name in known for name in measures) for known in (SCORES, FACTS)):
        raise ValueError(f"measures: expected some of {', '.join(SCORES)}, or some of {', '.join(FACTS)}")
    return measures


def _block(
    name: str,
    words: tuple[str, ...],
    shared: dict[str, Any],
    own: dict[str, Any],
    measures: tuple[str, ...],
    sources: Sources,
) -> Block:
    content = {**shared, **own}
    _refuse_unknown(f"blocks.{name}: ", content, {"base", "rows", "columns", "published"})
    rows, columns = (_axis(key, content.get(key), sources) for key in ("rows", "columns"))
    numbers = _section("published", content.get("published") or {})
    _refuse_unknown("published: ", numbers, set(measures))
    published = {
        (measure, row.label, column.label): _number(f"published.{measure}", number)
        for measure in numbers
        for row, line in zip(rows.entries, _along(rows, f"published.{measure}", numbers[measure]), strict=True)
        for column, number in zip(columns.entries, _along(columns, f"published.{measure}", line), strict=True)
    }
    has_own_axes = not own.keys().isdisjoint({"rows", "columns"})
    return Block(name, words + _words("base", content.get("base")), rows, columns, published, has_own_axes)


def _along(axis: Axis, key: str, values: Any) -> list[Any]:
    """Return the values of all entries of an axis: given in their order, or by their labels."""
    if axis is NO_AXIS:
        return [values]
    labels = [entry.label for entry in axis.entries]
    if isinstance(values, dict) and set(by_label := _by_label(key, values)) == set(labels):
        return [by_label[label] for label in labels]
    if isinstance(values, list) and len(values) == len(labels):
        return values
    raise ValueError(f"{key}: expected something for each of {', '.join(labels)}, got {values!r}")


def _number(key: str, value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"{key}: expected numbers, or null where one is not known, got {value!r}")
    return value


def _axis(side: str, content: Any, sources: Sources) -> Axis:
    if content is None:
        return NO_AXIS
    section = _section(side, content)
    _refuse_unknown(f"{side}: ", section, {"name", "key", "values"})
    needed = ("name", "values") if isinstance(section.get("values"), dict) else ("name", "key", "values")
    if missing := [key for key in needed if key not in section]:
        raise ValueError(f"{side}: {missing[0]} is missing")
    values, key = section["values"], section.get("key")
    if key == "loss" and isinstance(values, str):
        values = _losses(values, sources)
    place = f"{side}.values"
    if isinstance(values, list):
        entries = [_entry_of(place, key, value) for value in values]
    else:
        entries = [Entry(label, _words(place, words)) for label, words in _by_label(place, values).items()]
    _refuse_twins(place, [entry.label for entry in entries])
    return Axis(str(section["name"]), tuple(entries))


def _entry_of(place: str, key: Any, value: Any) -> Entry:
    if isinstance(value, list | dict):
        raise ValueError(f"{place}: expected numbers or names, got {value!r}")
    return Entry(_in_words(value, "g"), _words(place, [f"{key}={_in_words(value)}"]))


def _losses(kind: str, sources: Sources) -> list[str]:
    """Return the names of all losses of a kind, as their files tell."""
    found = [name for name in sources.options("loss") if value_at(sources.section("loss", name), "about.kind") == kind]
    if not found:
        raise ValueError(f"there is no loss of the kind {kind}; take relative, point-wise or a list of names")
    return found


def _words(place: str, text: Any) -> tuple[str, ...]:
    """Read overrides from a text in which blanks separate them, or from a list."""
    if not isinstance(text, str | list | None):
        raise ValueError(f"{place}: expected key=value, got {text!r}")
    words = text.split() if isinstance(text, str) else [str(word) for word in text or []]
    for word in words:
        if not word.partition("=")[1] or word[0] == "~":
            raise ValueError(f"{place}: {word}: expected key=value, or +key=value of a key that a loss of yours brings")
        key = key_of(word)
        if is_for_hydra(word) or key in ("seed", "seeds") or not decides(key):
            raise ValueError(f"{place}: {word}: a table says what is trained; {key} is for the command line")
        try:
            parsed(word)
        except ConfigError as error:
            raise ValueError(f"{place}: {error}") from error
    return tuple(words)


def _in_words(value: Any, float_format: str = "") -> str:
    """Write a value as it stands in an override; a number in a label is shorter."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return format(value, float_format) if isinstance(value, float) else str(value)


def _section(place: str, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{place}: expected keys with values, got {content!r}")
    return content


def _by_label(place: str, content: Any) -> dict[str, Any]:
    """Return a section by the labels that are its keys; a number is written as on an axis."""
    section = _section(place, content)
    labels = [_in_words(key, "g") for key in section]
    _refuse_twins(place, labels)
    return dict(zip(labels, section.values(), strict=True))


def _refuse_twins(place: str, labels: list[str]) -> None:
    """Refuse labels that do not tell what stands where: there must be some, and no two alike."""
    if not labels:
        raise ValueError(f"{place}: expected one or more, got none")
    if twins := [label for label in labels if labels.count(label) > 1]:
        raise ValueError(f"{place}: {twins[0]} is there twice; give each a label of its own")


def _refuse_cells_without_data(blocks: Iterable[Block]) -> None:
    for block in blocks:
        for row, column in block.pairs():
            if not any(word.startswith("dataset=") for word in block.words_of(row, column)):
                raise ValueError("measures: facts are about data sets: say dataset=NAME in base, rows or columns")


def _refuse_unknown(place: str, content: dict[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise ValueError(
                f"{place}there is no key {key}{nearest(str(key), known)} (known: {', '.join(sorted(known))})"
            )
