"""Every table that a record is in, on the data set and the backbone that it is of. Imports no torch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from margin_bench.errors import ConfigError
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import Measured, Request, measure
from margin_bench.tables.narrow import narrowed
from margin_bench.tables.records import Records
from margin_bench.tables.spec import Table, read_table, table_names
from margin_bench.yaml_files import read_yaml


def every_table(request: Request, records: Records, identities: Identities) -> list[Measured]:
    """Every table, on every data set and backbone that records are of, that has a record in it."""
    found: dict[tuple[str, ...], Measured] = {}
    settings = _settings(records, identities.dirs)
    for name in table_names(identities.dirs):
        table = read_table(name, identities.dirs)
        for setting in settings:
            chosen = setting[:1] if table.is_of_facts else setting  # facts are those of a data set
            words = tuple(word for word in chosen if word not in _words_of(table))
            if not _has_place(table, words):
                continue
            each = measure(table, replace(request, words=words + request.words), records, identities)
            if each.records:
                found.setdefault((name, *words), each)
    return list(found.values())


def _settings(records: Records, dirs: list[Path]) -> list[tuple[str, ...]]:
    """The choices of data set and backbone that records are of."""
    names = {
        tuple(record["config"][group]["name"] for group in ("dataset", "backbone"))
        for record in records.usable.values()
    }
    options = [_options(group, dirs) for group in ("dataset", "backbone")]
    return [
        tuple(
            f"{group}={known[name]}"
            for group, known, name in zip(("dataset", "backbone"), options, pair, strict=True)
            if name in known
        )
        for pair in sorted(names)
    ]


def _options(group: str, dirs: list[Path]) -> dict[str, str]:
    """The files of a group by the name that they give; of several with one name that which is called like it."""
    options: dict[str, str] = {}
    for path in (path for folder in dirs for path in sorted((folder / group).glob("*.yaml"))):
        content = read_yaml(path)
        name = content.get(group, content).get("name")
        if name not in options or path.stem == name:
            options[name] = path.stem
    return options


def _has_place(table: Table, words: Sequence[str]) -> bool:
    """Whether a table can be on a data set and backbone, which it may vary together with other keys."""
    try:
        narrowed(table, words)
    except ConfigError:
        return False
    return True


def _words_of(table: Table) -> set[str]:
    """All overrides that stand in a table."""
    words = {word for block in table.blocks for word in block.words}
    axes = [axis for block in table.blocks for axis in (block.rows, block.columns)]
    return words | {word for axis in axes for entry in axis.entries for word in entry.words}
