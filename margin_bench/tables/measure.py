"""From a table and records to what its cells tell. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.records.record import Record
from margin_bench.records.traits import traits_of
from margin_bench.tables.identities import Identities, Identity
from margin_bench.tables.near_misses import near
from margin_bench.tables.overrides import narrowed
from margin_bench.tables.prefilter import NAMED, can_have_names, known_names
from margin_bench.tables.same_data import ON_OTHER_DATA, most_common, on_other_data
from margin_bench.tables.search import SEED, Trial, best, search
from margin_bench.tables.spec import SCORES, Block, Entry, Table
from margin_bench.tables.usable_records import Records

# What the paper did and the configuration leaves to a user, so that its numbers stand beside runs with it and without.
PAPERS_OWN = ("transforms=paper", "data.quirks.fixed_buckets=true")


@dataclass(frozen=True)
class Request:
    """What a user asks of a table.

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


@dataclass
class Cell:
    """A cell: which runs it wants, and those that are there.

    Attributes:
        words: the overrides of its runs.
        trials: the runs that choose its learning rate; none: it is not searched for.
        identity: of its runs, whatever the seed; None where no record can be of them.
        published: by measure, None if it is not known; without the measure where the setting is not the paper's own.
        records: its runs, by seed.
    """

    block: Block
    row: Entry
    column: Entry
    words: tuple[str, ...]
    identity: Identity | None
    published: dict[str, float | None]
    trials: tuple[Trial, ...] = ()
    records: list[Record] = field(default_factory=list)

    def lacking(self, seeds: Sequence[int]) -> list[tuple[tuple[str, ...], list[int]]]:
        """The overrides and the seeds of the runs that are not there; without a rate, of its trials."""
        if self.trials and best(self.trials) is None:
            return [(trial.words, [SEED]) for trial in self.trials if trial.record is None]
        there = {record["seed"] for record in self.records}
        lacking = [seed for seed in seeds if seed not in there]
        return [(self.words, lacking)] if lacking else []

    @property
    def has_no_rate(self) -> bool:
        """Whether all its trials have diverged, so that it stays empty."""
        return bool(self.trials) and all(trial.has_diverged for trial in self.trials)

    def values(self, measure: str) -> list[float]:
        """What its records say: a score of each run in percent, or a fact about the data, once."""
        if measure in SCORES:
            return [100 * record["metrics"][measure] for record in self.records]
        return [_fact(record, measure) for record in self.records[:1]]


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


def measure(
    table: Table, request: Request, records: Records, identities: Identities, compose_all: bool = False
) -> Measured:
    """Fills a table from records.

    Args:
        compose_all: give every cell its identity, and not only those that a record can be in.

    Raises:
        ConfigError: the overrides of a cell do not compose.
    """
    wanted = narrowed(table, request.words)
    known = None if compose_all or request.rates else known_names(records)
    cells = _cells(table, wanted, known, identities)
    left_out: list[str] = []
    precisions = _precisions(request, records)
    if request.rates and not table.is_of_facts:
        found, left_out = search([cell.words for cell in cells], request.rates, precisions, records, identities)
        cells = [_with_rate(cell, trials, identities) for cell, trials in zip(cells, found.trials, strict=True)]
        precisions = [found.precision]
    left_out += _fill_with_facts(cells, records) if table.is_of_facts else _fill(cells, request, precisions, records)
    return Measured(wanted, request, cells, left_out + records.unread)


def _cells(table: Table, wanted: Table, known: set[tuple[str, ...]] | None, identities: Identities) -> list[Cell]:
    """The cells of a table, still empty; those that no record can be in, by the known names, are not composed."""
    written = {block.name: block for block in table.blocks}
    cells = []
    for block in wanted.blocks:
        for row, column in block.pairs():
            words = block.words_of(row, column)
            published = {
                name: block.published[name, row.label, column.label]
                for name in table.measures
                if (name, row.label, column.label) in block.published
            }
            if published:
                original = written[block.name].words_of(row, column)
                published = published if _is_same(original, words, identities) else {}
            is_composed = known is None or can_have_names(words, known, identities.sources)
            identity = _identity_of(table, words, identities) if is_composed else None
            cells.append(Cell(block, row, column, words, identity, published))
    return cells


def _identity_of(table: Table, words: tuple[str, ...], identities: Identities) -> Identity:
    try:
        return identities.of(words)
    except ConfigError as error:
        raise ConfigError(f"a cell of {table.name} ({' '.join(words)}): {error}") from error


def _with_rate(cell: Cell, trials: tuple[Trial, ...], identities: Identities) -> Cell:
    """The cell at the rate that its trials choose; without runs of its own as long as there is none."""
    chosen = best(trials)
    if chosen is None:
        return replace(cell, trials=trials, identity=None, published={})
    words = (*cell.words, *chosen.rate_words)
    return replace(cell, trials=trials, words=words, identity=identities.of(words), published={})


def _precisions(request: Request, records: Records) -> list[str]:
    """The precisions that a run of the table can have: the one asked for, or those of records."""
    there = sorted({_precision(record) for record in records.ended.values()})
    return [request.precision] if request.precision else there or ["fp32"]  # any, where there are no records


def _is_same(words: tuple[str, ...], others: tuple[str, ...], identities: Identities) -> bool:
    """Whether the second list of overrides makes the same runs as the first, or such as are closer to the paper's.

    It composes only if the choices do not tell already.
    """
    others = tuple(word for word in others if word not in PAPERS_OWN and key_of(word) != "precision")
    if words == others:
        return True
    choices = [
        dict(word.split("=", 1) for word in each if identities.sources.has_group(key_of(word)))
        for each in (words, others)
    ]
    if any(choices[1].get(key, option) != option for key, option in choices[0].items()):
        return False
    return identities.of(words) == identities.of(others)


def _fill(cells: list[Cell], request: Request, precisions: Sequence[str], records: Records) -> list[str]:
    """Gives the cells their records, which agree in precision and data; a line for each that is near but left out."""
    seeds = request.seeds or sorted({record["seed"] for record in records.readable})
    found = [
        (cell, records.usable[run_id])
        for cell in cells
        if cell.identity
        for seed in seeds
        for run_id in {cell.identity.run_id(seed, precision) for precision in precisions}
        if run_id in records.usable
    ]
    precision = most_common(_precision(record) for cell, record in found if not _has_own_precision(cell))
    found = [(cell, record) for cell, record in found if _precision(record) == precision or _has_own_precision(cell)]
    left_out = near(
        [cell.identity for cell in cells if cell.identity],
        _varied(cells),
        records,
        known={record["run_id"] for _, record in found} | _trial_ids(cells),
        seeds=seeds,
        precision=request.precision or precision,
    )
    return left_out + _put_in(found)


def _precision(record: Record) -> str:
    return str(record["config"]["precision"])


def _has_own_precision(cell: Cell) -> bool:
    return cell.identity is not None and cell.identity.has_own_precision


def _trial_ids(cells: list[Cell]) -> set[str]:
    return {trial.record["run_id"] for cell in cells for trial in cell.trials if trial.record}


def _fill_with_facts(cells: list[Cell], records: Records) -> list[str]:
    found = [
        (cell, record)
        for cell in cells
        if cell.identity
        for record in records.usable.values()
        if traits_of({"dataset": record["config"]["dataset"]})
        == traits_of({"dataset": cell.identity.of_run(record["seed"], "")["dataset"]})
        and not record["config"]["data"]["holdout"]
    ]
    return _put_in(found)


def _put_in(found: list[tuple[Cell, Record]]) -> list[str]:
    """Gives the cells those of the records that are on the same data; a line for each other one."""
    strangers = on_other_data([(cell.identity, record) for cell, record in found if cell.identity])
    for cell, record in found:
        if record["run_id"] not in strangers:
            cell.records.append(record)
    return [f"{run_id} {ON_OTHER_DATA}" for run_id in strangers]


def _varied(cells: list[Cell]) -> list[str]:
    """The keys that cells differ in, and those of their names."""
    sets = [frozenset(cell.words) for cell in cells]
    differing = frozenset().union(*sets) - sets[0].intersection(*sets)
    keys = {key_of(word) for word in differing}
    return sorted({key for key in keys if key not in NAMED} | {f"{group}.name" for group in NAMED})


def _fact(record: Record, measure: str) -> float:
    facts = record["dataset"]
    return len(facts["class_names"]) if measure == "num_classes" else facts[measure]
