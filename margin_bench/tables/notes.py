"""Write what stands below a table: how to read it, what it was measured with, what is left out, what is missing."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from margin_bench.config.schema import PAPER
from margin_bench.config.words import key_of
from margin_bench.records.record import Record
from margin_bench.runtime.console import counted
from margin_bench.tables.cells import HOLDOUT, TRIAL_SEED, Cell, Measured, best


@dataclass(frozen=True)
class Note:
    """A few lines under a heading; lines of commands are shown as such.

    Attributes:
        short: what stands for the lines where there is no room for them all; empty: they are few.
    """

    heading: str
    lines: tuple[str, ...]
    are_commands: bool = False
    short: tuple[str, ...] = ()


def notes(measured: Measured) -> Iterator[Note]:
    """Yield the notes of a table, in order."""
    yield Note("How to read it", tuple(_legend(measured)))
    records = measured.records
    if records:
        trials = [trial.record for cell in measured.cells for trial in cell.trials if trial.record]
        yield Note("Measured with", tuple(_provenance(records, trials)))
    if other := tuple(_other_data(measured)):
        yield Note("Not the published data", other)
    if measured.left_out:
        yield Note("Left out", tuple(measured.left_out))
    searched = [cell for cell in measured.cells if cell.trials]
    if searched:
        yield Note("Learning rates", tuple(_rates(measured, searched)))
    missing = tuple(_missing(measured))
    if missing:
        short = () if measured.table.is_of_facts else (_reproduce(measured),)
        heading = "Missing, and what counts it alone" if measured.table.is_of_facts else "Missing, and what fills it"
        yield Note(heading, missing, True, short)


def label_of(cell: Cell) -> str:
    """Say which cell of its table it is."""
    parts = [cell.block.name]
    parts += [f"{axis.name} {entry.label}" for axis, entry in _sides(cell) if axis.name]
    return ", ".join(part for part in parts if part)


def _sides(cell: Cell) -> list[tuple[Any, Any]]:
    return [(cell.block.rows, cell.row), (cell.block.columns, cell.column)]


def _legend(measured: Measured) -> Iterator[str]:
    if measured.table.is_of_facts:
        yield "Counted on the data of finished runs; labels per sample on the training split."
    else:
        yield "Percent: mean ± standard deviation over seeds (number of seeds)."
        if any(0 < len(cell.records) < len(measured.wanted_seeds) for cell in measured.cells):
            yield "(n of m): m seeds were asked for, or are in other cells, and n of them in this one."
        yield "Bold: leads beyond the spread, its mean less its deviation above every other's mean plus deviation."
    if any(cell.published for cell in measured.cells):
        yield "In brackets: published in the paper, and measured less published."


def _other_data(measured: Measured) -> Iterator[str]:
    """Yield a line for each cell whose data set has other numbers than the published one: a part of it, say."""
    for cell in measured.cells if measured.table.is_of_facts else ():
        for measure in measured.table.measures:
            values, published = cell.values(measure), cell.published.get(measure)
            if values and published is not None and measure != "labels_per_sample" and set(values) != {published}:
                yield f"{label_of(cell)}: {measure} is {values[0]:,.0f}, and {published:,.0f} in the paper."


def _rates(measured: Measured, searched: list[Cell]) -> Iterator[str]:
    rates = measured.request.rates
    told = ", ".join(f"{rate:g}" for rate in rates)
    yield (
        f"Chosen for each cell from {told} (of the head, the rest in proportion): {len(rates)} trials each of "
        f"all epochs, seed {TRIAL_SEED}, scored by the mean of mAP@class and mAP@sample "
        f"on {HOLDOUT:g} of the training split, held out."
    )
    for cell in searched:
        chosen = best(cell.trials)
        edge = ", at the edge of the list" if chosen and chosen.rate in (rates[0], rates[-1]) else ""
        diverged = [f"{trial.rate:g}" for trial in cell.trials if trial.has_diverged]
        which = f"; diverged at {', '.join(diverged)}" if diverged else ""
        if chosen:
            told = f"{chosen.rate:g}{edge}"
        else:
            told = "none, as all diverged" if len(diverged) == len(cell.trials) else "not all trials are there"
        yield f"{label_of(cell)}: {told}{which}."


def _provenance(records: Sequence[Record], trials: Sequence[Record]) -> Iterator[str]:
    """Yield what the runs of the cells were trained on, and what they and the trials of their rates ran with."""
    for line in _distinct(_data(record) for record in records):
        yield f"Data: {line}."
    configs = [record["config"] for record in records]
    yield (
        f"Training: {_values(configs, 'backbone', 'name')}, {_values(configs, 'epochs')} epochs, "
        f"batch {_values(configs, 'batch_size')}, bucket {_values(configs, 'bucket_size')}, "
        f"rates {_values(configs, 'optim', 'head_lr')} of the head and {_values(configs, 'optim', 'backbone_lr')} "
        f"of the rest, {_values(configs, 'precision')}, seeds {_values(configs, 'seed')}."
    )
    last = max(record["ended"] for record in records)[:10]
    yield f"Records: {len(records)}, the last of {last}; metric protocol {PAPER}."
    executed = [*records, *trials]
    environments = [record["environment"] for record in executed]
    for commit in _distinct(str(environment["commit"]) for environment in environments):
        yield f"Commit: {commit}."
    for versions in _distinct(_versions(environment) for environment in environments):
        yield f"Versions: {versions}."
    for hardware in _distinct(_hardware(record) for record in executed):
        yield f"Hardware: {hardware}."


def _data(record: Record) -> str:
    facts = record["dataset"]
    scored = "held-out training" if record["config"]["data"]["holdout"] else "test"
    name = record["config"]["dataset"]["name"]
    return f"{name}, {facts['num_train']:,} training and {facts['num_test']:,} {scored} samples"


def _values(configs: Iterable[dict[str, Any]], *keys: str) -> str:
    found = set()
    for config in configs:
        value: Any = config
        for key in keys:
            value = value[key]
        found.add(value)
    return ", ".join(map(str, sorted(found)))


def _distinct(lines: Iterable[str]) -> list[str]:
    return sorted(set(lines))


def _versions(environment: dict[str, Any]) -> str:
    return ", ".join(f"{package} {version}" for package, version in environment["versions"].items())


def _hardware(record: Record) -> str:
    hardware = record["environment"]["hardware"]
    cards = ", ".join(hardware["gpus"]) or "no GPU"
    cores = counted(hardware["cores"], "usable core")
    processes = counted(record["num_processes"], "process", "processes")
    number = hardware.get("threads")  # which the first records did not have
    threads = f", {counted(number, 'thread')}" if number else ""
    return f"{hardware['cpu']}, {cores}, {cards}, {processes} per run{threads}"


def _reproduce(measured: Measured) -> str:
    """Return the command that fills all cells."""
    request = measured.request
    precision = _precision(measured) if all(map(_is_open_in_precision, measured.cells)) else []
    seeds = f"seeds={max(measured.wanted_seeds) + 1}"
    words = [measured.table.name, *request.options, *request.words, *precision, *request.rate_words, seeds]
    number = sum(bool(cell.lacking(measured.wanted_seeds)) for cell in measured.cells)
    return f"margin-bench reproduce {shlex.join(words)}    # {counted(number, 'cell')}"


def _precision(measured: Measured) -> list[str]:
    """Return the override for the precision of the runs that are there, since another machine may take another one."""
    for cell in filter(_is_open_in_precision, measured.cells):
        for record in (*cell.records, *(trial.record for trial in cell.trials)):
            if record:
                return [f"precision={record['config']['precision']}"]
    return []


def _is_open_in_precision(cell: Cell) -> bool:
    return all(key_of(word) != "precision" for word in cell.words)


def _missing(measured: Measured) -> Iterator[str]:
    if measured.table.is_of_facts:
        yield from (_check(measured, cell) for cell in measured.cells if not cell.records)
        return
    precision = _precision(measured)
    for cell in measured.cells:
        for words, seeds in cell.lacking(measured.wanted_seeds):
            sweep = ["-m"] if len(seeds) > 1 else []
            own = precision if _is_open_in_precision(cell) else []
            line = [*measured.request.options, *sweep, *words, *own, f"seed={','.join(map(str, seeds))}"]
            yield f"margin-bench train {shlex.join(line)}    # {label_of(cell)}"


def _check(measured: Measured, cell: Cell) -> str:
    """Return the command that counts on the data of a cell."""
    option = next(word for word in reversed(cell.words) if key_of(word) == "dataset")
    options = [word for word in measured.request.options if key_of(word) != "runs_dir"]
    words = [option.partition("=")[2], *options, *(word for word in cell.words if key_of(word) != "dataset")]
    return f"margin-bench data check {shlex.join(words)}    # {label_of(cell)}"
