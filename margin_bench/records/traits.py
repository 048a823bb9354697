"""Tell what decides the result of a run, key by key, as records have it. Imports no torch."""

from typing import Any

from margin_bench.config.dotted import Content, leaves_of, value_at
from margin_bench.config.identity import BY_CONTENT, deciding
from margin_bench.records.paths import last_part

# Records name them by their path, identities by their content.
FILES = {*BY_CONTENT, *(f"{key}_sha256" for key in BY_CONTENT)}

Traits = dict[str, str]


def traits_of(content: Content) -> Traits:
    """Return what decides the result of a run, as text by dotted key; files are left out, and folders of paths.

    Args:
        content: the configuration in a record, an identity, or some sections of either.
    """
    return {key: repr(last_part(value)) for key, value in leaves_of(deciding(content)) if key not in FILES}


def traits_of_record(record: dict[str, Any]) -> Traits:
    """Return what decides the result of a record's run, as text by dotted key; files by their content."""
    return traits_of(record["config"]) | _contents(record["files_sha256"])


def traits_of_identity(content: Content) -> Traits:
    """Return what decides the result of a run with this identity, as `traits_of_record` does."""
    digests = {key: value_at(content, f"{key}_sha256") for key in BY_CONTENT}
    return traits_of(content) | _contents({key: digest for key, digest in digests.items() if digest})


def _contents(digests: dict[str, str]) -> Traits:
    return {f"the content of {key}": digest for key, digest in digests.items()}
