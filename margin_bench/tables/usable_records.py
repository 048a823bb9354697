"""Read the records that tables are made of, and name those that do not count. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path

from margin_bench.config.schema import PAPER
from margin_bench.records.record import DIVERGED, FINISHED, Record, read_records
from margin_bench.records.shape import oddity_of
from margin_bench.records.traits import Traits, traits_of_record

NAMED = {"dataset": "name", "backbone": "name", "loss": "_target_"}  # the key of each that tells its runs apart


@dataclass(frozen=True)
class Records:
    """The records of a folder.

    Attributes:
        usable: finished runs, scored by the protocol of the tables, by id.
        unusable: the others that can be read, each with the reason.
        unread: a line for each record that cannot be read.
    """

    usable: dict[str, Record]
    unusable: list[tuple[Record, str]]
    unread: list[str]
    _traits: dict[str, Traits] = field(default_factory=dict)

    @property
    def readable(self) -> list[Record]:
        """All but those of `unread`."""
        return [*self.usable.values(), *(record for record, _ in self.unusable)]

    @property
    def names(self) -> set[tuple[str, ...]]:
        """The names of data set, backbone and loss that records have together."""
        return {tuple(record["config"][group][key] for group, key in NAMED.items()) for record in self.readable}

    @property
    def ended(self) -> dict[str, Record]:
        """Those of runs that need not begin again, by id: usable ones, and those that would diverge again."""
        diverged = {record["run_id"]: record for record, _ in self.unusable if record["status"] == DIVERGED}
        return diverged | self.usable

    def traits(self, run_id: str) -> Traits:
        """Return what decides the result of a usable run."""
        if run_id not in self._traits:
            self._traits[run_id] = traits_of_record(self.usable[run_id])
        return self._traits[run_id]


def load_records(runs_dir: Path) -> Records:
    """Read all records under a folder."""
    found, unread = read_records(runs_dir)
    usable: dict[str, Record] = {}
    unusable = []
    for record in found:
        if oddity := oddity_of(record):
            unread.append(f"{record.get('run_id')!s:.100} is no record of a run: {oddity}")
            continue
        reason = _reason(record, usable)
        if reason:
            unusable.append((record, reason))
        else:
            usable[record["run_id"]] = record
    return Records(usable, unusable, unread)


def _reason(record: Record, usable: dict[str, Record]) -> str | None:
    """Say why a record does not count; None if it does."""
    if record["status"] != FINISHED:
        return f"is {record['status']}, not {FINISHED}"
    if record["metric_protocol"] != PAPER:
        return f"is scored by the metric protocol {record['metric_protocol']}, not {PAPER}"
    if record["run_id"] in usable:
        return "is there twice, and counts once"
    return None
