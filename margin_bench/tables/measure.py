"""Fill a table from records, step by step: each step takes all cells and returns all cells. Imports no torch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.records.record import Record
from margin_bench.records.traits import Traits, traits_of
from margin_bench.tables.cells import Cell, Measured, Request, cells_of
from margin_bench.tables.identities import Identities, Identity
from margin_bench.tables.near_misses import near
from margin_bench.tables.overrides import narrowed
from margin_bench.tables.prefilter import can_have_names
from margin_bench.tables.same_data import most_common, on_same_data
from margin_bench.tables.search import at_best_rates
from margin_bench.tables.spec import Table
from margin_bench.tables.usable_records import Records

# Settings of the paper that are not our defaults; published numbers are shown with or without them.
PAPERS_OWN = ("transforms=paper", "data.quirks.fixed_buckets=true")


def measure(table: Table, request: Request, records: Records, identities: Identities) -> Measured:
    """Fill a table from records.

    Raises:
        ConfigError: the overrides of a cell that a record can be in do not compose.
    """
    wanted = narrowed(table, request.words)
    cells = _in_papers_setting(cells_of(wanted), table, identities)
    cells = _with_identities(cells, table, request, records, identities)
    if table.is_of_facts:
        cells, left_out = _with_facts(cells, records), list[str]()
    else:
        precisions = _precisions(request, records)
        cells, precisions, left_out = at_best_rates(cells, request.rates, precisions, records, identities)
        seeds = request.seeds or sorted({record["seed"] for record in records.readable})
        cells, precision = _with_runs(cells, seeds, precisions, records)
        left_out += near(cells, records, seeds, request.precision or precision)
    cells, on_other_data = on_same_data(cells)
    return Measured(wanted, request, cells, left_out + on_other_data + records.unread)


def _in_papers_setting(cells: Sequence[Cell], written: Table, identities: Identities) -> list[Cell]:
    """Leave published numbers only in cells whose runs are those of the table as it is written, the paper's own."""
    blocks = {block.name: block for block in written.blocks}

    def has_its_runs(cell: Cell) -> bool:
        return _makes_same_runs(blocks[cell.block.name].words_of(cell.row, cell.column), cell.words, identities)

    return [cell if cell.published and has_its_runs(cell) else replace(cell, published={}) for cell in cells]


def _makes_same_runs(words: tuple[str, ...], others: tuple[str, ...], identities: Identities) -> bool:
    """Return whether the other overrides make the runs of the first, or runs that are closer to the paper's.

    They are composed only if the choices do not tell already.
    """
    others = tuple(word for word in others if word not in PAPERS_OWN and key_of(word) != "precision")
    if words == others:
        return True
    chosen, others_chosen = (_choices(each, identities.sources) for each in (words, others))
    if any(others_chosen.get(key, option) != option for key, option in chosen.items()):
        return False
    return identities.of(words).content == identities.of(others).content


def _choices(words: Sequence[str], sources: Sources) -> dict[str, str]:
    """Return the option of each group that overrides choose."""
    return {key_of(word): word.partition("=")[2] for word in words if sources.has_group(key_of(word))}


def _with_identities(
    cells: Sequence[Cell], table: Table, request: Request, records: Records, identities: Identities
) -> list[Cell]:
    """Give the cells their identities; without rates to try, only those that a record can be in, by its names."""
    known = records.names
    return [
        replace(cell, identity=_identity_of(cell, table, identities))
        if request.rates or can_have_names(cell.words, known, identities.sources)
        else cell
        for cell in cells
    ]


def _identity_of(cell: Cell, table: Table, identities: Identities) -> Identity:
    try:
        return identities.of(cell.words)
    except ConfigError as error:
        raise ConfigError(f"a cell of {table.name} ({' '.join(cell.words)}): {error}") from error


def _with_facts(cells: Sequence[Cell], records: Records) -> list[Cell]:
    """Put into each cell the records of runs on its whole data set."""
    whole = [record for record in records.usable.values() if not record["config"]["data"]["holdout"]]
    data_sets = [(record, _data_set(record["config"])) for record in whole]
    return [replace(cell, records=_records_on_data_of(cell, data_sets)) for cell in cells]


def _data_set(config: dict[str, Any]) -> Traits:
    return traits_of({"dataset": config["dataset"]})


def _records_on_data_of(cell: Cell, data_sets: Sequence[tuple[Record, Traits]]) -> tuple[Record, ...]:
    if cell.identity is None:
        return ()
    seeds = {record["seed"] for record, _ in data_sets}
    asked = {seed: _data_set(cell.identity.of_run(seed, "fp32")) for seed in seeds}
    return tuple(record for record, data_set in data_sets if data_set == asked[record["seed"]])


def _precisions(request: Request, records: Records) -> list[str]:
    """Return the precisions that runs of the table can have: the one asked for, or those of records."""
    there = sorted({_precision(record) for record in records.ended.values()})
    return [request.precision] if request.precision else there or ["fp32"]  # any, where there are no records


def _precision(record: Record) -> str:
    return str(record["config"]["precision"])


def _with_runs(
    cells: Sequence[Cell], seeds: Sequence[int], precisions: Sequence[str], records: Records
) -> tuple[list[Cell], str | None]:
    """Put into each cell the records of its runs, and return the one precision that they have, but for its own."""
    found = [replace(cell, records=_runs_of(cell, seeds, precisions, records)) for cell in cells]
    shared = [cell for cell in found if not cell.has_own_precision]
    precision = most_common(_precision(record) for cell in shared for record in cell.records)
    return [_in_precision(cell, precision) for cell in found], precision


def _runs_of(cell: Cell, seeds: Sequence[int], precisions: Sequence[str], records: Records) -> tuple[Record, ...]:
    if cell.identity is None:
        return ()
    run_ids = (cell.identity.run_id(seed, precision) for seed in seeds for precision in precisions)
    return tuple(records.usable[run_id] for run_id in dict.fromkeys(run_ids) if run_id in records.usable)


def _in_precision(cell: Cell, precision: str | None) -> Cell:
    """Return the cell with its records of one precision; with all, if it has a precision of its own."""
    if cell.has_own_precision:
        return cell
    return replace(cell, records=tuple(record for record in cell.records if _precision(record) == precision))
