"""Tell by names which cells can have a record at all, so that the others need not be composed. Imports no torch."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of
from margin_bench.config.yaml_files import read_yaml
from margin_bench.tables.usable_records import NAMED


def can_have_names(words: Sequence[str], known: set[tuple[str, ...]], sources: Sources) -> bool:
    """Return whether runs with these overrides can have names that records have together; True if it is not clear."""
    options = {key_of(word): word.partition("=")[2] for word in words}
    names = [_name(group, options, sources) for group in NAMED]
    return any(all(a in (None, b) for a, b in zip(names, triple, strict=True)) for triple in known)


def _name(group: str, options: Mapping[str, str], sources: Sources) -> str | None:
    """Return the name of the data set, backbone or loss that overrides choose; None if they do not tell it surely."""
    if group not in options or f"{group}.{NAMED[group]}" in options:
        return None
    others = [key for key in options if key != group and sources.has_group(key.partition("@")[0])]
    if any(_may_name(sources, other, options[other], group) for other in others):
        return None
    return _name_in_file(sources, group, options[group])


@cache
def _name_in_file(sources: Sources, group: str, option: str) -> str | None:
    """Return the name that a group's file gives, as it stands in records; None if it gives none, or not alone."""
    content = _content(sources, group, option)
    if content is None or "_self_" in content.get("defaults", [])[:-1]:  # what comes after it may give another name
        return None
    name = str(sources.section(group, option).get(NAMED[group], "???"))
    return None if name == "???" or "${" in name else name


@cache
def _may_name(sources: Sources, group: str, option: str, named: str) -> bool:
    """Return whether the file of one group may name another one, by itself or by a file that it includes."""
    content = _content(sources, group, option)
    if content is None or not all(_is_choice(default) for default in content.get("defaults", [])):
        return True
    section = content.get(named, {})
    return not isinstance(section, dict) or NAMED[named] in section


def _content(sources: Sources, group: str, option: str) -> dict[str, Any] | None:
    """Return what a group's file says; None if it is not clear what it speaks of."""
    path = sources.find(group, option)
    if path is None or set(re.findall(r"@package +(\S+)", path.read_text(encoding="utf-8"))) - {"_global_"}:
        return None
    content = read_yaml(path)
    return content if isinstance(content.get("defaults", []), list) else None


def _is_choice(default: Any) -> bool:
    """Return whether an entry of a file's `defaults` includes no file, or one that overrides of a user go before."""
    return default == "_self_" or (isinstance(default, dict) and all(key.startswith("override ") for key in default))
