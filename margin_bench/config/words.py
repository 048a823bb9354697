"""Read and write single overrides as words of Hydra's grammar. Imports no torch."""

import re
from contextlib import suppress
from functools import cache

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from margin_bench.config.hydra_internals import parse_override
from margin_bench.errors import ConfigError


@cache
def parsed(word: str) -> Override:
    """Read an override that gives one key one value, as Hydra does.

    Raises:
        ConfigError: it is no such override.
    """
    try:
        override = parse_override(word)
    except HydraException as error:
        raise ConfigError(f"{word}: expected key=value") from error
    if override.is_delete():
        raise ConfigError(f"{word}: expected key=value; a table cannot take a key away")
    if override.is_sweep_override():
        raise ConfigError(
            f"{word}: expected one value; what a table goes through are its rows and columns (docs/tables.md)"
        )
    return override


def in_words(key: str, value: str) -> str:
    """Return the override that gives a key this very text, in quotes where Hydra would read something else in it."""
    word = f"{key}={value}"
    with suppress(ConfigError):
        if parsed(word).value() == value:
            return word
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', value)  # backslashes count only before a quotation mark
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f'{key}="{escaped}"'


def text_of(word: str) -> str:
    """Return the text that an override gives its key, without the quotes around it."""
    value = word.partition("=")[2]
    return str(parsed(word).value()) if value[:1] in ("'", '"') else value


def key_of(word: str) -> str:
    """Return the key of an override, without the sign that adds it."""
    return word.partition("=")[0].lstrip("+")
