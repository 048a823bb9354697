"""Show tables from the records that exist: `margin-bench tables`. Runs nothing, imports no torch."""

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence

from margin_bench.commands.arguments import Parser
from margin_bench.commands.table_arguments import Arguments, add_table_arguments, table_arguments
from margin_bench.config.identity import decides
from margin_bench.config.sources import default_runs_dir
from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.runtime.console import counted, say
from margin_bench.runtime.files import write_atomic
from margin_bench.runtime.gc_pause import without_collection
from margin_bench.tables.all_tables import every_table
from margin_bench.tables.cells import Measured
from margin_bench.tables.formats import FORMATS
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.overrides import check_words
from margin_bench.tables.sheet import sheet
from margin_bench.tables.spec import read_table
from margin_bench.tables.usable_records import Records, load_records

MEANING = (
    "Without a NAME it shows every table that a record belongs to, by the words given and the defaults of its data\n"
    "set and backbone."
)
LONGEST_NAME = 120  # of a file, in characters, before its ending
WORD = re.compile(r"[A-Za-z0-9._]+")
VALUE = re.compile(rf"{WORD.pattern}(-{WORD.pattern})*")


def add_arguments(parser: Parser) -> None:
    """Take names of tables and overrides; none are needed."""
    add_table_arguments(parser, "[NAME ...] [key=value ...]", MEANING)


def run(line: argparse.Namespace) -> None:
    """Show tables.

    Raises:
        ConfigError: a name or an override does not fit.
        CheckpointError: a file cannot be written.
    """
    asked = table_arguments(line)
    if asked.hydra:
        raise ConfigError(f"{asked.hydra[0]} is for runs, and this command has none: margin-bench reproduce runs them")
    if not asked.runs_dir.is_dir() and asked.runs_dir != default_runs_dir():
        raise ConfigError(f"runs_dir={asked.runs_dir} is no folder; give the one that holds the records of runs")
    with without_collection():
        found, records = _measured(asked)
        if found:
            show(found, asked)
            if not asked.names:
                _tell_others(found, records)
        else:
            say(f"no record in {asked.runs_dir} belongs to a table by these words")
            say("margin-bench reproduce table3 dataset=digits makes some; or add what yours were given, as epochs=6")


def _tell_others(found: Sequence[Measured], records: Records) -> None:
    """Say how many finished runs stand in none of the tables, since they are on a user's own data, say."""
    shown = {record["run_id"] for each in found for record in each.records}
    others = [record for run_id, record in records.usable.items() if run_id not in shown]
    if others:
        names = ", ".join(sorted({record["config"]["dataset"]["name"] for record in others}))
        say(
            f"{counted(len(others), 'finished run')} on {names} in none of these tables; a table of your own shows "
            "them (docs/tables.md), margin-bench compare compares them",
            sys.stderr,
        )


def _measured(asked: Arguments) -> tuple[list[Measured], Records]:
    """Fill the tables that are named, or all that have a record; return them with all records."""
    identities = Identities(asked.sources)
    wanted = [read_table(name, asked.sources) for name in asked.names]
    check_words(wanted, asked.request.words, asked.sources)
    records = load_records(asked.runs_dir)
    if wanted:
        found = [measure(table, asked.request, records, identities) for table in wanted]
    else:
        found = every_table(asked.request, records, identities)
    identities.save()
    return found, records


def show(found: Sequence[Measured], asked: Arguments) -> None:
    """Print tables, or write a file for each, with plots beside it if they are asked for."""
    render, suffix = FORMATS[asked.format]
    if asked.output is None:
        say(render([sheet(each) for each in found]).rstrip("\n"))
        return
    for each in found:
        files = {suffix: render([sheet(each)]).encode()} | (_plots(each) if asked.plots else {})
        for ending, content in files.items():
            path = asked.output / f"{file_name(each)}{ending}"
            write_atomic(path, content)
            say(str(path))


def _plots(measured: Measured) -> dict[str, bytes]:
    """Draw a table, by the ending of each file."""
    from margin_bench.tables.plots import plots  # which imports matplotlib, and that takes a second

    drawn = plots(measured)
    if not drawn:
        say(f"{sheet(measured).name}: no plot, as it has no scores of runs", sys.stderr)
    return drawn


def file_name(measured: Measured) -> str:
    """Return a table's name, data set and backbone, and all else that decides its runs, as `table3-digits--epochs-6`.

    Where the words cannot be told from this name, a hash of them follows.
    """
    given = {key_of(word): word.partition("=")[2] for word in measured.request.words}
    given |= {
        key_of(word): word.partition("=")[2].strip("[]").replace(",", "-") for word in measured.request.rate_words
    }
    chosen = [key for key in ("dataset", "backbone") if key in given] if "dataset" in given else []
    names = [measured.table.name, *(given.pop(key) for key in chosen)]
    pairs = [(key, value) for key, value in sorted(given.items()) if decides(key)]
    name = "--".join(["-".join(names), *map("-".join, pairs)])
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:LONGEST_NAME]
    is_clear = all(map(WORD.fullmatch, names)) and all(VALUE.fullmatch(value) for _, value in pairs)
    if is_clear and safe == name:
        return name
    return f"{safe}-{hashlib.sha256(str([names, pairs]).encode()).hexdigest()[:8]}"
