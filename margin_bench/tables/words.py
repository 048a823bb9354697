"""Overrides as words, in Hydra's grammar. Imports no torch."""

from functools import cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from margin_bench.errors import ConfigError


@cache
def parsed(word: str) -> Override:
    """What Hydra reads in an override that gives one key one value.

    Raises:
        ConfigError: it is no such override.
    """
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise ConfigError(f"{word}: expected key=value") from error
    if override.is_delete():
        raise ConfigError(f"{word}: expected key=value; a table cannot take a key away")
    if override.is_sweep_override():
        raise ConfigError(
            f"{word}: expected one value; what a table goes through are its rows and columns (docs/tables.md)"
        )
    return override
