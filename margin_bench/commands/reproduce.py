"""Run what tables still lack, then show them: `margin-bench reproduce`."""

import argparse

from margin_bench.commands.arguments import Parser
from margin_bench.commands.table_arguments import add_table_arguments, table_arguments
from margin_bench.commands.tables import show
from margin_bench.errors import ConfigError, MarginBenchError

MEANING = "Finished runs are skipped, broken ones go on where they stopped."


def add_arguments(parser: Parser) -> None:
    """Take names of tables, overrides and `--dry-run`."""
    add_table_arguments(parser, "NAME [NAME ...] [key=value ...]", MEANING)
    parser.add_argument("--dry-run", action="store_true", help="list the missing runs and estimate their time")


def run(line: argparse.Namespace) -> None:
    """Run what the tables lack, then show them.

    Raises:
        ConfigError: a name or an override does not fit.
        MarginBenchError: runs failed, and the tables are shown without them; or a signal stopped a run.
    """
    from margin_bench.commands.missing_runs import MissingRuns, settled  # which imports torch

    asked = table_arguments(line)
    if not asked.names:
        raise ConfigError("which table? margin-bench reproduce NAME\nmargin-bench reproduce --help lists them")
    asked = settled(asked)
    missing = MissingRuns(asked)
    if line.dry_run:
        missing.tell()
        return
    tables, failures = missing.run_all()
    show(tables, asked)
    if failures:
        raise MarginBenchError("\n".join([f"missing: {len(failures)}", *failures]))
