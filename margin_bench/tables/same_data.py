"""Records that stand side by side are of runs on the same data. Imports no torch."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from margin_bench.records.record import Record
from margin_bench.tables.identities import Identity

ON_OTHER_DATA = "is on other data: its fingerprint differs"


def on_other_data(found: Sequence[tuple[Identity, Record]]) -> list[str]:
    """The ids of the records on other data than most, among those whose cells ask for the same data.

    Args:
        found: records, each with the identity of its cell.
    """
    fingerprints: dict[str, list[str]] = {}
    for identity, record in found:
        fingerprints.setdefault(_asked(identity), []).append(_fingerprint(record))
    usual = {asked: most_common(of_these) for asked, of_these in fingerprints.items()}
    return sorted({record["run_id"] for identity, record in found if _fingerprint(record) != usual[_asked(identity)]})


def most_common(values: Iterable[str]) -> str | None:
    """The value that is there most often, of several the last in order; None if there is none."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value), default=None)


def _asked(identity: Identity) -> str:
    """The data that a cell asks for."""
    return json.dumps([identity.content["dataset"], identity.content["data"]["holdout"]], sort_keys=True)


def _fingerprint(record: Record) -> str:
    return str(sorted(record["dataset"]["fingerprints"].items()))
