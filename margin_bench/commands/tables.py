"""`margin-bench tables`: every table from the records that exist. Runs nothing, imports no torch."""

import hashlib
import re
import sys
from collections.abc import Sequence

from margin_bench.commands.arguments import Arguments, parse
from margin_bench.config.identity import decides
from margin_bench.config.schema import default_runs_dir
from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.runtime.console import say
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
from margin_bench.tables.usable_records import load_records

DESCRIPTION = (
    "Tables from the records of finished runs. Without a name: every table that a record is in, "
    "by the words given and the defaults of its data set and backbone."
)
LONGEST_NAME = 120  # of a file, in characters, before its ending


def tables(arguments: list[str]) -> None:
    """The command.

    Raises:
        ConfigError: a name or an override does not fit.
        CheckpointError: a file cannot be written.
    """
    parsed = parse("tables", DESCRIPTION, arguments)
    with without_collection():
        _tables(parsed)


def _tables(parsed: Arguments) -> None:
    if parsed.hydra:
        raise ConfigError(f"{parsed.hydra[0]} is for runs, and this command has none: margin-bench reproduce runs them")
    if not parsed.runs_dir.is_dir() and parsed.runs_dir != default_runs_dir():
        raise ConfigError(f"runs_dir={parsed.runs_dir} is no folder; give the one that holds the records of runs")
    identities = Identities(parsed.sources)
    wanted = [read_table(name, parsed.sources) for name in parsed.names]
    check_words(wanted, parsed.request.words, parsed.sources)
    records = load_records(parsed.runs_dir)
    if wanted:
        found = [measure(table, parsed.request, records, identities) for table in wanted]
    else:
        found = every_table(parsed.request, records, identities)
    identities.save()
    if not found:
        say(
            f"no record in {parsed.runs_dir} is in a table by these words: margin-bench reproduce table3 dataset=digits"
        )
        say("makes some; runs with other settings are in a table with the words that set them, as epochs=6")
    else:
        show(found, parsed)


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
    given |= {key_of(word): word.partition("=")[2].strip("[]") for word in measured.request.rate_words}
    choices = [given.pop(key) for key in ("dataset", "backbone") if key in given]
    others = [f"{key}={value}" for key, value in sorted(given.items()) if decides(key)]
    name = "-".join([measured.table.name, *choices, *others])
    safe = re.sub(r"[^A-Za-z0-9.,_=-]", "_", name)[:LONGEST_NAME]
    return name if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
