"""Find the records that look as if they belonged to a table, and say why they do not. Imports no torch."""

from collections.abc import Sequence
from functools import cache

from margin_bench.config.identity import IDLE
from margin_bench.config.schema import FIRST_REVISION, OPEN_GROUPS
from margin_bench.config.words import key_of
from margin_bench.records.record import Record
from margin_bench.records.traits import Traits, traits_of_identity
from margin_bench.tables.cells import Cell
from margin_bench.tables.identities import Identity
from margin_bench.tables.usable_records import NAMED, Records

SHOWN = 3  # runs named for each cause
REVISIONS = {f"{group}.revision" for group in OPEN_GROUPS}


def near(cells: Sequence[Cell], records: Records, seeds: Sequence[int], precision: str | None) -> list[str]:
    """Return a line for each cause that leaves out records of a table.

    A record is near that agrees with a cell in all that tells the cells apart.

    Args:
        cells: with the records and trials that are in the table.
        seeds, precision: of the table.
    """
    identities = [cell.identity for cell in cells if cell.identity]
    varied, known = _varied(cells), _ids_in(cells)
    causes: dict[str, list[str]] = {}
    with_traits = [(identity, traits_of_identity(identity.content)) for identity in identities]
    expected = {_key(traits, varied): (identity, traits) for identity, traits in with_traits}
    for run_id, record in records.usable.items():
        if run_id in known or record["seed"] not in seeds:
            continue
        cell = expected.get(_key(records.traits(run_id), varied))
        if cell is not None:
            of_run = _of_run(*cell, record["seed"], precision or record["config"]["precision"])
            causes.setdefault(_difference(record, records.traits(run_id), of_run), []).append(run_id)

    @cache
    def run_ids(seed: int, its_precision: str) -> set[str]:
        return {identity.run_id(seed, its_precision) for identity in identities}

    for record, reason in records.unusable:
        if record["seed"] in seeds and record["run_id"] in run_ids(record["seed"], record["config"]["precision"]):
            causes.setdefault(reason, []).append(record["run_id"])
    return [f"{_names(run_ids)} {cause}" for cause, run_ids in sorted(causes.items())]


def _varied(cells: Sequence[Cell]) -> list[str]:
    """Return the keys that cells differ in, and those of their names."""
    sets = [frozenset(cell.words) for cell in cells]
    differing = frozenset().union(*sets) - sets[0].intersection(*sets)
    keys = {key_of(word) for word in differing}
    return sorted({key for key in keys if key not in NAMED} | {f"{group}.{key}" for group, key in NAMED.items()})


def _ids_in(cells: Sequence[Cell]) -> set[str]:
    """Return the ids of all records that are in a table, those of trials among them."""
    trials = [trial.record for cell in cells for trial in cell.trials if trial.record]
    return {record["run_id"] for record in (*trials, *(record for cell in cells for record in cell.records))}


def _of_run(identity: Identity, traits: Traits, seed: int, precision: str) -> Traits:
    """Return the traits of a cell's identity as those of one of its runs."""
    its_precision = traits["precision"] if identity.has_own_precision else repr(precision)
    return traits | {key: repr(seed) for key in ("seed", *identity.seeded)} | {"precision": its_precision}


def _key(traits: Traits, varied: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(traits.get(key) for key in varied)


def _difference(record: Record, traits: Traits, expected: Traits) -> str:
    """Say what keeps a record out of a cell, by the traits of both; not what counts in one alone for another cause."""
    differing = (key for key in traits.keys() | expected.keys() if traits.get(key) != expected.get(key))
    keys = sorted(key for key in differing if key not in IDLE or (key in traits and key in expected))
    revised = [key for key in keys if key in REVISIONS]
    others = [key for key in keys if key not in REVISIONS]
    causes = [f"differs in {', '.join(others)}"] if others else []
    causes += [_revised(record, key, traits, expected) for key in revised]
    return "; ".join(causes) or "comes from another version"


def _revised(record: Record, key: str, traits: Traits, expected: Traits) -> str:
    """Say which revision of a loss, a data set or a transform made a record, where traits name none but the first."""
    group = key.partition(".")[0]
    section = record["config"][group]
    name = section.get("name") or section["_target_"].rpartition(".")[2]
    before, now = (each.get(key, str(FIRST_REVISION)) for each in (traits, expected))
    return f"was made by revision {before} of {group} {name}, which is now {now}"


def _names(run_ids: list[str]) -> str:
    more = len(run_ids) - SHOWN
    return ", ".join(sorted(run_ids)[:SHOWN]) + (f" and {more} more:" if more > 0 else "")
