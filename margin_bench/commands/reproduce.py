"""`margin-bench reproduce`: runs what tables still lack, then shows them."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from margin_bench.commands.arguments import Arguments, parse
from margin_bench.commands.tables import show
from margin_bench.config.compose import check
from margin_bench.config.words import in_words, key_of
from margin_bench.errors import ConfigError, MarginBenchError
from margin_bench.launch.job import Outcome
from margin_bench.launch.launcher import failures, launch, num_processes
from margin_bench.runs.estimate import Run, estimate, group_of, num_passes
from margin_bench.runtime.console import say
from margin_bench.runtime.precision import resolve_precision
from margin_bench.tables.cells import Measured
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.notes import label_of
from margin_bench.tables.overrides import check_words, narrowed
from margin_bench.tables.spec import Table, read_table
from margin_bench.tables.usable_records import Records, load_records

DESCRIPTION = "Runs what tables still lack, then shows them. Finished runs are skipped, broken ones go on."


def reproduce(arguments: list[str]) -> None:
    """The command.

    Raises:
        ConfigError: a name or an override does not fit.
        MarginBenchError: runs failed, and the tables are shown without them; or a signal stopped a run.
    """
    parsed = parse("reproduce", DESCRIPTION, arguments, with_dry_run=True)
    if not parsed.names:
        raise ConfigError("which table? margin-bench reproduce NAME\nmargin-bench reproduce --help lists them")
    request = parsed.request
    precision = request.precision or _precision_here(parsed.hydra)
    parsed = replace(parsed, request=replace(request, seeds=request.seeds or (0,), precision=precision))
    work = _Work(parsed)
    if parsed.dry_run:
        work.tell_missing()
        return
    tables, failed = work.run_all()
    show(tables, parsed)
    if failed:
        raise MarginBenchError("\n".join([f"missing: {len(failed)}", *failures(failed.items())]))


def _precision_here(for_hydra: Sequence[str]) -> str:
    """The precision of runs on this machine, if it is here that they run."""
    launcher = next((word for word in for_hydra if word.startswith("hydra/launcher=")), "hydra/launcher=basic")
    if launcher != "hydra/launcher=basic":
        raise ConfigError(
            f"{launcher}: which precision the other machines have is not known here\n"
            "Say precision=bf16, precision=fp16 or precision=fp32."
        )
    return resolve_precision("auto")


class _Work:
    """The tables of a command line, and what they lack."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.identities = Identities(arguments.sources)
        self.tables = [read_table(name, arguments.sources) for name in arguments.names]
        self.num_processes = num_processes(arguments.hydra, arguments.sources)
        check_words(self.tables, arguments.request.words, arguments.sources)
        for table in self.tables:
            self._check(narrowed(table, arguments.request.words))

    def run_all(self) -> tuple[list[Measured], dict[str, Outcome]]:
        """Runs until nothing is missing that can be had.

        Returns:
            The tables, and how the runs that are missing failed, by their ids.
        """
        failed: dict[str, Outcome] = {}
        done: set[str] = set()
        tables = self._measured(load_records(self.arguments.runs_dir))
        while runs := [run for run in self._missing(tables) if run.run_id not in failed]:
            if left_out := done & {run.run_id for run in runs}:
                failed |= dict.fromkeys(left_out, Outcome(1, "it is finished, but left out of the table"))
                continue
            for run, outcome in zip(runs, self._launch(runs), strict=True):
                if outcome.exit_code:
                    failed[run.run_id] = outcome
                else:
                    done.add(run.run_id)
            tables = self._measured(load_records(self.arguments.runs_dir))
        return tables, {run.run_id: failed[run.run_id] for run in self._missing(tables)} | _without_rates(tables)

    def tell_missing(self) -> None:
        """Prints the command of every missing run, and how long all of them take."""
        records = load_records(self.arguments.runs_dir)
        runs = self._missing(self._measured(records))
        for run in runs:
            say(f"margin-bench train {shlex.join([*self.arguments.request.options, *run.words])}")
        say(f"{len(runs)} runs are missing")
        if runs:
            say(estimate(runs, records.usable.values(), self.arguments.sources))
        if runs and self.arguments.request.rates:
            say("rates are chosen first where one of these is a trial; the runs at the chosen rates follow")

    def _measured(self, records: Records) -> list[Measured]:
        request = self.arguments.request
        return [measure(table, request, records, self.identities) for table in self.tables]

    def _missing(self, tables: Sequence[Measured]) -> list[Run]:
        """The runs that are missing, each once however many cells share it."""
        runs = {run.run_id: run for table in tables for run in self._missing_in(table)}
        self.identities.save()
        return list(runs.values())

    def _missing_in(self, measured: Measured) -> Iterator[Run]:
        request = self.arguments.request
        assert request.precision is not None
        for cell in measured.cells if not measured.table.is_of_facts else []:
            for words, seeds in cell.lacking(measured.wanted_seeds):
                identity = self.identities.of(words)
                passes, group = num_passes(identity.content), group_of(identity.content)
                for seed in seeds:
                    run_id = identity.run_id(seed, request.precision)
                    yield Run(run_id, (*words, f"seed={seed}"), passes, group)

    def _launch(self, runs: list[Run]) -> list[Outcome]:
        say(f"{len(runs)} runs to go", sys.stderr)
        arguments = self.arguments
        shared = [*arguments.hydra, in_words("runs_dir", str(arguments.runs_dir))]
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the tables
            return launch("train", [run.words for run in runs], shared, arguments.sources)

    def _check(self, table: Table) -> None:
        """Checks the overrides of all cells, those with the same choices of groups at once, as one sweep."""
        sweeps: dict[tuple[str, ...], dict[str, list[str]]] = {}
        for block in table.blocks:
            for row, column in block.pairs():
                words = block.words_of(row, column)
                choices = tuple(word for word in words if self.arguments.sources.has_group(key_of(word)))
                for word in words:
                    if word not in choices:
                        key, _, value = word.partition("=")
                        sweeps.setdefault(choices, {}).setdefault(key, []).append(value)
        for choices, sweep in sweeps.items():
            merged = [f"{key}={','.join(dict.fromkeys(values))}" for key, values in sweep.items()]
            check("train", [*choices, *merged], self.arguments.sources, self.num_processes)


def _without_rates(tables: Sequence[Measured]) -> dict[str, Outcome]:
    """The cells that stay empty, since they diverge at every rate."""
    cells = [cell for table in tables for cell in table.cells if cell.has_no_rate]
    return {label_of(cell) or "the cell": Outcome(1, "it diverges at every rate of search.lr") for cell in cells}
