"""Keep records side by side that are of runs on the same data. Imports no torch."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from margin_bench.config.dotted import Content
from margin_bench.records.record import Record
from margin_bench.tables.cells import Cell


def on_same_data(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """Take the records out of cells that are on other data than most; return the cells, and a line for each record."""
    identified = [(cell.identity.content, cell.records) for cell in cells if cell.identity]
    strangers = strangers_among([(content, record) for content, its_records in identified for record in its_records])
    kept = [
        replace(cell, records=tuple(record for record in cell.records if record["run_id"] not in strangers))
        for cell in cells
    ]
    return kept, in_lines(strangers)


def strangers_among(found: Sequence[tuple[Content, Record]]) -> list[str]:
    """Return the ids of the records on other data than most, among those whose cells ask for the same data.

    Args:
        found: records, each with what the identity of its cell holds.
    """
    fingerprints: dict[str, list[str]] = {}
    for content, record in found:
        fingerprints.setdefault(_asked(content), []).append(_fingerprint(record))
    usual = {asked: most_common(of_these) for asked, of_these in fingerprints.items()}
    return sorted({record["run_id"] for content, record in found if _fingerprint(record) != usual[_asked(content)]})


def in_lines(strangers: Sequence[str]) -> list[str]:
    """Return a line for each record that is left out."""
    return [f"{run_id} is on other data: its fingerprint differs" for run_id in strangers]


def most_common(values: Iterable[str]) -> str | None:
    """Return the value that is there most often, of several the last in order; None if there is none."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value), default=None)


def _asked(content: Content) -> str:
    """Return the data that a cell asks for."""
    return json.dumps([content["dataset"], content["data"]["holdout"]], sort_keys=True)


def _fingerprint(record: Record) -> str:
    return str(sorted(record["dataset"]["fingerprints"].items()))
