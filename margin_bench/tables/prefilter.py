"""Which cells can have a record at all, told by names, so that the others need not be composed. Imports no torch."""

from collections.abc import Sequence

from margin_bench.config.words import key_of
from margin_bench.tables.identities import Identities
from margin_bench.tables.usable_records import Records

NAMED = ("dataset", "backbone", "loss")


def known_names(records: Records) -> set[tuple[str, ...]]:
    """The names of data set, backbone and loss that records have together."""
    return {tuple(record["config"][group]["name"] for group in NAMED) for record in records.readable}


def can_have_names(words: Sequence[str], known: set[tuple[str, ...]], identities: Identities) -> bool:
    """Whether runs with these overrides can have names that are known."""
    names = [_name(group, words, identities) for group in NAMED]
    return any(all(a in (None, b) for a, b in zip(names, triple, strict=True)) for triple in known)


def _name(group: str, words: Sequence[str], identities: Identities) -> str | None:
    """The name of a data set, backbone or loss that overrides choose; None if they do not tell."""
    options = {key_of(word): word.partition("=")[2] for word in words}
    if group not in options or f"{group}.name" in options:
        return None
    return identities.name_of(group, options[group])
