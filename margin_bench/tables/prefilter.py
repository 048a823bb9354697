"""Tell by names which cells can have a record at all, so that the others need not be composed. Imports no torch."""

from collections.abc import Sequence
from functools import cache

from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of
from margin_bench.config.yaml_files import read_yaml
from margin_bench.tables.usable_records import NAMED


def can_have_names(words: Sequence[str], known: set[tuple[str, ...]], sources: Sources) -> bool:
    """Return whether runs with these overrides can have names that records have together."""
    names = [_name(group, words, sources) for group in NAMED]
    return any(all(a in (None, b) for a, b in zip(names, triple, strict=True)) for triple in known)


def _name(group: str, words: Sequence[str], sources: Sources) -> str | None:
    """Return the name of the data set, backbone or loss that overrides choose; None if they do not tell."""
    options = {key_of(word): word.partition("=")[2] for word in words}
    if group not in options or f"{group}.{NAMED[group]}" in options:
        return None
    return _name_in_file(sources, group, options[group])


@cache
def _name_in_file(sources: Sources, group: str, option: str) -> str | None:
    """Return the name that a group's file gives, as it stands in records; None if it gives none."""
    path = sources.find(group, option)
    content = read_yaml(path) if path else {}
    name = content.get(group, content).get(NAMED[group])
    return None if name == "???" else name
