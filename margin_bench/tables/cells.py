"""Hold what a user asks of a table, its cells, and the table when it is measured. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from margin_bench.records.record import DIVERGED, Record
from margin_bench.tables.identities import Identity
from margin_bench.tables.spec import SCORES, Block, Entry, Table

HOLDOUT = 0.2  # share of the training split that trials hold out and are scored on
TRIAL_SEED = 0


@dataclass(frozen=True)
class Request:
    """The wishes of a user for a table.

    Attributes:
        words: overrides for all cells.
        seeds: those that count; None: all that are there.
        precision: of the forward; None: that of most records.
        rates: the learning rates from which each cell takes its own; none: all have that of their configuration.
        options: what else a command needs that fills a cell.
    """

    words: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    precision: str | None = None
    rates: tuple[float, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def rate_words(self) -> tuple[str, ...]:
        """The word that asks for the rates, if there is one."""
        return (f"search.lr=[{','.join(f'{rate:g}' for rate in self.rates)}]",) if self.rates else ()


@dataclass(frozen=True)
class Trial:
    """A run of a cell at one rate, scored on the held-out part.

    Attributes:
        rate: of the head; the rest of the net keeps its proportion to it.
        rate_words: the overrides that set it.
        words: all overrides of the run.
        record: of the run, if it is there, finished or diverged.
    """

    rate: float
    rate_words: tuple[str, ...]
    words: tuple[str, ...]
    identity: Identity
    record: Record | None = None

    @property
    def has_diverged(self) -> bool:
        """Return whether its loss was not finite."""
        return self.record is not None and self.record["status"] == DIVERGED

    @property
    def score(self) -> float:
        """The mean of mAP@class and mAP@sample; of a run that diverged, less than any."""
        assert self.record is not None
        return -math.inf if self.has_diverged else fmean(self.record["metrics"][name] for name in SCORES)


def best(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the best score, of several the one with the lowest rate.

    None as long as one is missing, or if all have diverged.
    """
    if any(trial.record is None for trial in trials) or all(trial.has_diverged for trial in trials):
        return None
    return max(trials, key=lambda trial: (trial.score, -trial.rate))


@dataclass(frozen=True)
class Cell:
    """A cell: which runs it wants, and those that are there.

    Attributes:
        words: the overrides of its runs.
        published: by measure, None if it is not known; without the measure where the setting is not the paper's own.
        identity: of its runs, whatever the seed; None where no record can be of them.
        trials: the runs that choose its learning rate; none: it is not searched for.
        records: its runs, by seed.
    """

    block: Block
    row: Entry
    column: Entry
    words: tuple[str, ...]
    published: dict[str, float | None]
    identity: Identity | None = None
    trials: tuple[Trial, ...] = ()
    records: tuple[Record, ...] = ()

    def lacking(self, seeds: Sequence[int]) -> list[tuple[tuple[str, ...], list[int]]]:
        """Return the overrides and the seeds of the runs that are not there; without a rate, of its trials."""
        if self.trials and best(self.trials) is None:
            return [(trial.words, [TRIAL_SEED]) for trial in self.trials if trial.record is None]
        there = {record["seed"] for record in self.records}
        lacking = [seed for seed in seeds if seed not in there]
        return [(self.words, lacking)] if lacking else []

    @property
    def has_own_precision(self) -> bool:
        """Return whether its overrides set the precision, instead of leaving it to the machine."""
        return self.identity is not None and self.identity.has_own_precision

    @property
    def has_no_rate(self) -> bool:
        """Return whether all its trials have diverged, so that it stays empty."""
        return bool(self.trials) and all(trial.has_diverged for trial in self.trials)

    def values(self, measure: str) -> list[float]:
        """Return what its records say: a score of each run in percent, or a fact about the data, once."""
        if measure in SCORES:
            return [100 * record["metrics"][measure] for record in self.records]
        return [_fact(record, measure) for record in self.records[:1]]


def _fact(record: Record, measure: str) -> float:
    facts = record["dataset"]
    return len(facts["class_names"]) if measure == "num_classes" else facts[measure]


@dataclass(frozen=True)
class Measured:
    """A table with its records, and a line for each record that is left out of it."""

    table: Table
    request: Request
    cells: list[Cell]
    left_out: list[str]

    @property
    def records(self) -> list[Record]:
        """All records in it, each once, by id."""
        found = {record["run_id"]: record for cell in self.cells for record in cell.records}
        return [found[run_id] for run_id in sorted(found)]

    @property
    def wanted_seeds(self) -> tuple[int, ...]:
        """The seeds that every cell should have: those asked for, or those of which some cell has a run."""
        return self.request.seeds or tuple(sorted({record["seed"] for record in self.records})) or (0,)


def cells_of(table: Table) -> list[Cell]:
    """Return the cells of a table, still empty, with all that is published of them."""
    return [
        Cell(block, row, column, block.words_of(row, column), _published(block, row, column, table.measures))
        for block in table.blocks
        for row, column in block.pairs()
    ]


def _published(block: Block, row: Entry, column: Entry, measures: Sequence[str]) -> dict[str, float | None]:
    places = {measure: (measure, row.label, column.label) for measure in measures}
    return {measure: block.published[place] for measure, place in places.items() if place in block.published}
