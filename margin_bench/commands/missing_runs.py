"""Find the runs that tables lack, and do them."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from margin_bench.commands.table_arguments import Arguments
from margin_bench.config.compose import check
from margin_bench.config.sources import Sources
from margin_bench.config.words import in_words, key_of
from margin_bench.errors import ConfigError, ExitCode
from margin_bench.launch.job import Outcome
from margin_bench.launch.launcher import failures, launch, num_processes
from margin_bench.runs.estimate import MissingRun, estimate, group_of, num_passes
from margin_bench.runtime.console import counted, say
from margin_bench.runtime.precision import resolve_precision
from margin_bench.tables.cells import Measured
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.notes import label_of
from margin_bench.tables.overrides import check_words, narrowed
from margin_bench.tables.spec import Table, read_table
from margin_bench.tables.usable_records import Records, load_records

LEFT_OUT = Outcome(ExitCode.FAILED, "it is finished, but left out of the table")
NO_RATE = Outcome(ExitCode.FAILED, "it diverges at every rate of search.lr")


def settled(asked: Arguments) -> Arguments:
    """Return what is asked for with the seeds and the precision that it leaves open.

    Raises:
        ConfigError: the runs are for other machines, whose precision is not known here.
    """
    precision = asked.request.precision or _precision_here(asked.hydra)
    return replace(asked, request=replace(asked.request, seeds=asked.request.seeds or (0,), precision=precision))


def _precision_here(for_hydra: Sequence[str]) -> str:
    """Return the precision of runs on this machine, if they run here."""
    launcher = next((word for word in for_hydra if word.startswith("hydra/launcher=")), "hydra/launcher=basic")
    if launcher != "hydra/launcher=basic":
        raise ConfigError(
            f"{launcher}: which precision the other machines have is not known here\n"
            "Say precision=bf16, precision=fp16 or precision=fp32."
        )
    return resolve_precision("auto")


class MissingRuns:
    """Find and do the runs that the tables of a command line lack.

    Args:
        asked: what the command line asks for, with a precision and seeds.

    Raises:
        ConfigError: a name or an override does not fit.
    """

    def __init__(self, asked: Arguments) -> None:
        self._asked = asked
        self._identities = Identities(asked.sources)
        self._tables = [read_table(name, asked.sources) for name in asked.names]
        processes = num_processes(asked.hydra, asked.sources)
        check_words(self._tables, asked.request.words, asked.sources)
        for table in self._tables:
            _check_cells(narrowed(table, asked.request.words), asked.sources, processes)

    def run_all(self) -> tuple[list[Measured], list[str]]:
        """Do every missing run once; the scores of trials decide which runs are missing next.

        Returns:
            The tables, and a line for each run that is still missing, and for each cell that stays empty.
        """
        ended: dict[str, Outcome] = {}
        tables = self._measured(load_records(self._asked.runs_dir))
        while runs := [run for run in self._missing(tables) if run.run_id not in ended]:
            ended |= zip([run.run_id for run in runs], self._launch(runs), strict=True)
            tables = self._measured(load_records(self._asked.runs_dir))
        missing = {run.run_id: ended[run.run_id] for run in self._missing(tables)}
        failed = {run_id: outcome if outcome.exit_code else LEFT_OUT for run_id, outcome in missing.items()}
        return tables, failures((failed | _without_rates(tables)).items())

    def tell(self) -> None:
        """Print the command of every missing run, and how long all of them take."""
        records = load_records(self._asked.runs_dir)
        runs, request = self._missing(self._measured(records)), self._asked.request
        for run in runs:
            say(f"margin-bench train {shlex.join([*request.options, *run.words])}")
        say(f"{counted(len(runs), 'run is', 'runs are')} missing")
        if runs:
            say(estimate(runs, records.usable.values(), self._asked.sources))
        if runs and request.rates:
            say("some of these are trials of learning rates; the runs at the rates they choose follow")

    def _measured(self, records: Records) -> list[Measured]:
        """Fill the tables."""
        request = self._asked.request
        return [measure(table, request, records, self._identities) for table in self._tables]

    def _missing(self, tables: Sequence[Measured]) -> list[MissingRun]:
        """Return the runs that are missing, each once however many cells share it."""
        runs = {run.run_id: run for table in tables for run in self._missing_in(table)}
        self._identities.save()
        return list(runs.values())

    def _missing_in(self, measured: Measured) -> Iterator[MissingRun]:
        """Yield the runs that the cells of a table lack."""
        precision = self._asked.request.precision
        assert precision is not None
        for cell in measured.cells if not measured.table.is_of_facts else []:
            for words, seeds in cell.lacking(measured.wanted_seeds):
                identity = self._identities.of(words)
                passes, group = num_passes(identity.content), group_of(identity.content)
                for seed in seeds:
                    yield MissingRun(identity.run_id(seed, precision), (*words, f"seed={seed}"), passes, group)

    def _launch(self, runs: list[MissingRun]) -> list[Outcome]:
        """Do runs, and return how each ended."""
        say(f"{counted(len(runs), 'run')} to go", sys.stderr)
        asked = self._asked
        shared = [*asked.hydra, in_words("runs_dir", str(asked.runs_dir))]
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the tables
            return launch("train", [run.words for run in runs], shared, asked.sources)


def _check_cells(table: Table, sources: Sources, processes: int | None) -> None:
    """Check the overrides of all cells: those with the same choices of groups at once, as one sweep."""
    sweeps: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for words in [block.words_of(row, column) for block in table.blocks for row, column in block.pairs()]:
        choices = tuple(word for word in words if sources.has_group(key_of(word)))
        for word in words:
            if word not in choices:
                key, _, value = word.partition("=")
                sweeps.setdefault(choices, {}).setdefault(key, []).append(value)
    for choices, sweep in sweeps.items():
        merged = [f"{key}={','.join(dict.fromkeys(values))}" for key, values in sweep.items()]
        check("train", [*choices, *merged], sources, processes)


def _without_rates(tables: Sequence[Measured]) -> dict[str, Outcome]:
    """Return the cells that stay empty, since they diverge at every rate."""
    cells = [cell for table in tables for cell in table.cells if cell.has_no_rate]
    return {label_of(cell) or "the cell": NO_RATE for cell in cells}
