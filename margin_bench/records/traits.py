"""Tell what decides the result of a run, key by key, as records have it. Imports no torch."""

from collections.abc import Iterator
from typing import Any

from margin_bench.config.identity import BY_CONTENT, deciding

# Records name them by their path, identities by their content.
FILES = {*BY_CONTENT, *(f"{key}_sha256" for key in BY_CONTENT)}

Content = dict[str, Any]
Traits = dict[str, str]


def traits_of(content: Content) -> Traits:
    """Return what decides the result of a run, as text by dotted key; files are left out.

    Args:
        content: the configuration in a record, an identity, or some sections of either.
    """
    return {key: repr(value) for key, value in leaves_of(deciding(content)) if key not in FILES}


def leaves_of(content: Content, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every entry that is not itself a mapping."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
