"""`margin-bench tables`: every table from the records that exist. Runs nothing, imports no torch."""

import gc
import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from margin_bench.compose import check
from margin_bench.config import default_runs_dir
from margin_bench.errors import ConfigError
from margin_bench.files import write_atomic
from margin_bench.identity import NOT_IDENTITY
from margin_bench.tables.arguments import Arguments, parse
from margin_bench.tables.formats import FORMATS
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import Measured, Request, measure
from margin_bench.tables.narrow import key_of, narrowed
from margin_bench.tables.records import Records, load_records
from margin_bench.tables.sheet import sheet
from margin_bench.tables.spec import Table, read_table, read_yaml, table_names
from margin_bench.tracking import say

DESCRIPTION = "Tables from the records of finished runs. Without a name: every table that a record is in."
LONGEST_NAME = 120  # of a file, in characters, before its ending


def tables(arguments: list[str]) -> None:
    """The command.

    Raises:
        ConfigError: a name or an override does not fit.
        CheckpointError: a file cannot be written.
    """
    gc.disable()  # records are many objects, all in use to the end
    parsed = parse("tables", DESCRIPTION, arguments)
    if parsed.hydra:
        raise ConfigError(f"{parsed.hydra[0]} is for runs, and this command has none: margin-bench reproduce runs them")
    if parsed.runs_dir != default_runs_dir() and not parsed.runs_dir.is_dir():
        raise ConfigError(f"runs_dir={parsed.runs_dir} is no folder; give the one that holds the records of runs")
    identities = Identities(parsed.config_dir)
    wanted = [read_table(name, identities.dirs) for name in parsed.names]
    check_words(wanted, parsed.request.words, parsed.config_dir)
    records = load_records(parsed.runs_dir)
    if wanted:
        found = [measure(table, parsed.request, records, identities) for table in wanted]
    else:
        found = _all(parsed.request, records, identities)
    if not found:
        say(f"no record in {parsed.runs_dir} is in a table: margin-bench reproduce table3 dataset=digits makes some")
    else:
        show(found, parsed)


def check_words(tables: Sequence[Table], words: Sequence[str], config_dir: str | None) -> None:
    """Checks a user's overrides, by themselves and in the tables, even if no record makes it necessary.

    Raises:
        ConfigError: one does not fit.
    """
    if not words:
        return
    if not tables:
        check("train", words, config_dir)
    for table in tables:
        for cell in _unlike(narrowed(table, words), words):
            try:
                check("train", cell, config_dir)
            except ConfigError as error:
                check("train", words, config_dir)  # tells what is wrong with them whatever the table
                raise ConfigError(f"{table.name} does not go together with {' '.join(words)}: {error}") from error


def _unlike(table: Table, words: Sequence[str]) -> Iterable[Sequence[str]]:
    """The overrides of the first cell for each choice that decides which of the words fit, as that of a loss does."""
    groups = {key_of(word).partition(".")[0] for word in words if "." in key_of(word)}
    cells: dict[tuple[str, ...], tuple[str, ...]] = {}
    for block in table.blocks:
        for row, column in block.pairs():
            cell = (*block.words, *row.words, *column.words)
            cells.setdefault(tuple(word for word in cell if key_of(word) in groups), cell)
    return cells.values()


def show(found: Sequence[Measured], arguments: Arguments) -> None:
    """Prints the tables, or writes a file for each, and its plots beside it if they are asked for."""
    render, suffix = FORMATS[arguments.format]
    sheets = [sheet(each) for each in found]
    if arguments.output is None:
        say(render(sheets).rstrip("\n"))
        return
    for measured_table, each in zip(found, sheets, strict=True):
        files = {suffix: render([each]).encode()}
        if arguments.plots:
            from margin_bench.tables.plots import plots  # matplotlib takes a second to import

            drawn = plots(measured_table)
            if not drawn:
                say(f"{each.name}: no plot, as it has no scores of runs", sys.stderr)
            files |= drawn
        for ending, content in files.items():
            path = arguments.output / f"{file_name(measured_table)}{ending}"
            write_atomic(path, content)
            say(str(path))


def file_name(measured: Measured) -> str:
    """The table's name, its data set and backbone, and all else that decides its runs, as `table3-digits-epochs=6`.

    Words that a file name should not have are there with `_`, and then a hash tells them apart.
    """
    given = {key_of(word): word.partition("=")[2] for word in measured.request.words}
    if measured.request.rates:
        given["search.lr"] = ",".join(f"{rate:g}" for rate in measured.request.rates)
    choices = [given.pop(key) for key in ("dataset", "backbone") if key in given]
    others = [f"{key}={value}" for key, value in sorted(given.items()) if key not in NOT_IDENTITY]
    name = "-".join([measured.table.name, *choices, *others])
    safe = re.sub(r"[^A-Za-z0-9.,_=-]", "_", name)[:LONGEST_NAME]
    return name if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _all(request: Request, records: Records, identities: Identities) -> list[Measured]:
    """Every table, on every data set and backbone that records are of, that has a record in it."""
    found: dict[tuple[str, ...], Measured] = {}
    for name in table_names(identities.dirs):
        table = read_table(name, identities.dirs)
        for setting in _settings(records, identities.dirs):
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
