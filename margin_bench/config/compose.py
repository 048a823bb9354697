"""Make a configuration of the words of a command line, or tell all that is wrong with them. Imports no torch."""

import copy
import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from margin_bench.config.checks import RELATED, mistakes_in
from margin_bench.config.hydra_internals import apply_override, group_options, parse_override
from margin_bench.config.schema import typed
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError, nearest

MOST_JOBS = 10_000
# What Hydra raises at choices of groups that do not compose.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)


@dataclass(frozen=True)
class Composition:
    """The configuration that the overrides of one run make, and what is wrong with them.

    Attributes:
        config: the configuration, with all overrides that are right.
        defaults: what the YAML files say for the same choices, without the values of the overrides.
        mistakes: what is wrong with the other overrides, a line each.
    """

    config: DictConfig
    defaults: DictConfig
    mistakes: list[str]


class Composer:
    """Compose the configurations of a command: Hydra composes each choice of files once, then the values are put in.

    Its methods need opened sources.
    """

    def __init__(self, command: str, sources: Sources) -> None:
        self.command = command
        self._compose = partial(sources.compose, command)
        self._files_of = cache(lambda group: group_options(group, sources.search_words))
        self._defaults: dict[tuple[str, ...], tuple[DictConfig, list[str]]] = {}

    def of(self, overrides: Sequence[Override]) -> Composition:
        """Compose one run.

        Raises:
            ConfigError: each choice of a file is right, but not together with the others.
        """
        choices = tuple(str(override.input_line) for override in overrides if self._is_choice(override))
        values = [override for override in overrides if not self._is_choice(override)]
        if choices not in self._defaults:
            self._defaults[choices] = self._of_choices(choices)
        defaults, mistakes = self._defaults[choices]
        config, more = _applied(values, defaults)
        return Composition(config, defaults, mistakes + more)

    def resolved(self, overrides: Sequence[Override]) -> dict[str, Any]:
        """Compose one run, as a dictionary of the schema, with null for what is needed and not given.

        Raises:
            ConfigError: an override is wrong.
        """
        made = self.of(overrides)
        if made.mistakes:
            raise ConfigError("\n".join(made.mistakes))
        try:
            config = typed(self.command, OmegaConf.create(_with_nulls(OmegaConf.to_container(made.config))))
        except OmegaConfBaseException as error:
            raise ConfigError(f"{error.full_key}: {_first_line(error)}") from error
        return dataclasses.asdict(config)

    def _is_choice(self, override: Override) -> bool:
        """Return whether an override chooses a file of a group (`dataset=coco`), or is for Hydra itself."""
        return bool(override.is_hydra_override() or self._files_of(override.key_or_group))

    def _of_choices(self, choices: Sequence[str]) -> tuple[DictConfig, list[str]]:
        """Return what the YAML files say for the choices that are right, and what is wrong with the others."""
        try:
            if not any(map(_names_no_file, choices)):
                return self._compose(choices), []
            mistakes = {choice: self._choice_mistakes(choice) for choice in choices}
        except COMPOSITION_ERRORS as error:
            mistakes = {choice: self._choice_mistakes(choice) for choice in choices}
            if not any(mistakes.values()):
                raise ConfigError(f"{' '.join(choices)}: {_first_line(error)}") from error
        config, more = self._of_choices([choice for choice in choices if not mistakes[choice]])
        return config, [*itertools.chain(*mistakes.values()), *more]

    def _choice_mistakes(self, choice: str) -> list[str]:
        if _names_no_file(choice):
            return [f"{choice}: expected the name of a file, or null"]
        parsed, value = parse_override(choice), choice.partition("=")[2]
        key, options = parsed.key_or_group, sorted(self._files_of(parsed.key_or_group))
        is_name = not parsed.is_delete() and re.fullmatch(r"[\w/-]*", value)
        if options and is_name and value not in options:
            return [f"{choice}: there is no {key} {value}{nearest(value, options)} (known: {', '.join(options)})"]
        try:
            self._compose([choice])
        except COMPOSITION_ERRORS as error:
            return [f"{choice}: {_first_line(error)}"]
        return []


def _names_no_file(choice: str) -> bool:
    """Tell whether the choice of a group is neither a name, nor a list of names, nor null."""
    parsed = parse_override(choice)
    if "." in parsed.key_or_group:  # a value of Hydra's own
        return False
    value: Any = parsed.value()
    names = value if isinstance(value, list) else [] if value is None else [value]
    return not all(isinstance(name, str | QuotedString) for name in names)


def _with_nulls(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_nulls(value) for key, value in content.items()}
    return None if content == "???" else content


def check(command: str, overrides: Sequence[str], sources: Sources, num_processes: int | None = None) -> None:
    """Check the overrides of one run, or of every value of a sweep.

    Args:
        overrides: in Hydra's grammar.
        sources: where the YAML files are.
        num_processes: how many processes an outer launcher has started; None: `devices` counts.

    Raises:
        ConfigError: names every mistake, a line each.
    """
    composer = Composer(command, sources)
    with sources.opened():
        mistakes = [mistake for override in overrides for mistake in _syntax_mistakes(override, sources)]
        mistakes = mistakes or _size_mistakes(overrides)
        if not mistakes:
            mistakes = _repeated_keys(overrides)
            for cell in _cells(overrides, sources):
                made = composer.of(cell)
                found = made.mistakes + _value_mistakes(command, made, num_processes)
                mistakes += [mistake for mistake in found if mistake not in mistakes]
    if mistakes:
        raise ConfigError("\n".join(mistakes))


def _size_mistakes(overrides: Sequence[str]) -> list[str]:
    """Refuse a sweep of more runs than anybody waits for."""
    number = math.prod(_num_values(parse_override(override)) for override in overrides)
    return [f"a sweep of {number:,} runs; at most {MOST_JOBS:,} are taken at once"] if number > MOST_JOBS else []


def _value_mistakes(command: str, made: Composition, num_processes: int | None) -> list[str]:
    try:
        return mistakes_in(command, made.config, made.defaults, num_processes)
    except OmegaConfBaseException as error:  # of an interpolation
        return [f"{error.full_key}: {_first_line(error)}"]


def refuse_sweeps(overrides: Sequence[str]) -> None:
    """Raise ConfigError if an override has several values: they are for a sweep."""
    for override in overrides:
        with suppress(HydraException):  # its syntax is wrong, which `check` says
            if parse_override(override).is_sweep_override():
                raise ConfigError(
                    f"{override}: several values make a sweep, which wants -m; a list stands in [], text with a comma "
                    "in quotes"
                )


def composed(command: str, overrides: Sequence[str], sources: Sources) -> DictConfig:
    """Return the configuration that the overrides of one run make, unless they are wrong.

    Raises:
        ConfigError: as `check`; or one is a sweep.
    """
    check(command, overrides, sources)
    try:
        with sources.opened():
            return sources.compose(command, overrides)
    except HydraException as error:
        raise ConfigError(f"{_first_line(error)}: this command takes one value for each key") from error


def grid(overrides: Sequence[str], sources: Sources) -> tuple[list[str], list[list[str]]]:
    """Return the overrides that all runs of a sweep share, and those that each run has besides, the last key fastest.

    A value that is given twice counts once.
    """
    with sources.opened():
        parsed = [parse_override(override) for override in overrides]
        swept = {
            override.get_key_element(): dict.fromkeys(
                str(value.input_line) for value in _single_values(override, sources)
            )
            for override in parsed
            if override.is_sweep_override()
        }
    shared = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    return shared, [list(cell) for cell in itertools.product(*swept.values())]


def _syntax_mistakes(override: str, sources: Sources) -> list[str]:
    try:
        parsed = parse_override(override)
    except HydraException:
        key, _, value = override.partition("=")
        quoted = f"; such a value stands in quotes, \"{key}='{value}'\"" if value else ""
        return [f"{override}: expected key=value{quoted}"]
    if (number := _num_values(parsed)) > MOST_JOBS:
        return [f"{override}: {number:,} values are more than the {MOST_JOBS:,} runs that a sweep may have"]
    with suppress(HydraException):  # of an interval, which has no single values
        if _single_values(parsed, sources):
            return []
    return [f"{override}: a sweep needs values to go through, as 1,2,4"]


def _num_values(override: Override) -> int:
    """Count the values of an override, without making them."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if not isinstance(value, RangeSweep) or value.start is None or value.stop is None or not value.step:
        return 1
    steps = (value.stop - value.start) / value.step
    return max(0, math.ceil(steps)) if math.isfinite(steps) else MOST_JOBS + 1


def _repeated_keys(overrides: Sequence[str]) -> list[str]:
    """Name each key that is given several times, one of them with values to go through: only some would count."""
    by_key: dict[str, list[Override]] = {}
    for override in map(parse_override, overrides):
        by_key.setdefault(override.get_key_element().lstrip("+~"), []).append(override)
    return [
        f"{' '.join(str(override.input_line) for override in given)}: give {key} once, with all its values: {key}=1,2,4"
        for key, given in by_key.items()
        if len(given) > 1 and any(override.is_sweep_override() for override in given)
    ]


def _cells(overrides: Sequence[str], sources: Sources) -> Iterator[list[Override]]:
    """Yield runs of a sweep until each value has been in one, and each combination of the values of related keys."""
    values = [_single_values(parse_override(override), sources) for override in overrides]
    first = [choices[0] for choices in values]
    yield first
    for positions in _related([override.key_or_group for override in first]):
        for combination in itertools.product(*(values[position] for position in positions)):
            cell = list(first)
            for position, value in zip(positions, combination, strict=True):
                cell[position] = value
            if cell != first:
                yield cell


def _single_values(override: Override, sources: Sources) -> list[Override]:
    if not override.is_sweep_override():
        return [override]
    glob: Any = override.value()
    if isinstance(glob, Glob):  # Hydra's own iterator knows no files of the user's folder
        values = iter(glob.filter(group_options(override.key_or_group, sources.search_words)))
    else:
        values = override.sweep_string_iterator()
    return [parse_override(f"{override.get_key_element()}={value}") for value in values]


def _related(keys: list[str]) -> list[list[int]]:
    """Return the positions of keys that are right or wrong together: a key and its group, and the keys of one rule."""
    together = [frozenset([key, key.partition(".")[0]]) for key in keys] + list(RELATED)
    found = [[position for position, key in enumerate(keys) if key in related] for related in dict.fromkeys(together)]
    return [positions for positions in found if positions]


def _applied(overrides: Sequence[Override], defaults: DictConfig) -> tuple[DictConfig, list[str]]:
    """Return the defaults with the overrides that are right, and what is wrong with the others."""
    config = copy.deepcopy(defaults)
    for position, override in enumerate(overrides):
        if found := _apply(override, config, defaults):  # it may have left a trace, so once more without it
            config, more = _applied([*overrides[:position], *overrides[position + 1 :]], defaults)
            return config, found + more
    return config, []


def _apply(override: Override, config: DictConfig, defaults: DictConfig) -> list[str]:
    """Put an override into the configuration, as Hydra itself does after composing, or say why it does not fit."""
    key, words = override.key_or_group, override.input_line
    if key == "loss.way" and OmegaConf.select(defaults, "loss.about.kind") == "point-wise":
        return [
            f"{words}: {defaults.loss.name} is point-wise, it looks at each logit alone, so a way changes nothing; "
            "leave it out, or take a relative loss (margin-bench losses lists them)"
        ]
    try:
        apply_override(override, config)
    except (HydraException, OmegaConfBaseException) as error:
        known = sorted(_keys(OmegaConf.to_container(defaults)))
        if key in known:
            return [f"{words}: {_first_line(error)}"]
        if key.startswith("backbone.options."):
            return [f"{words}: there is no key {key}; an option of the backbone is given as +{words}"]
        if key.startswith("loss.") and OmegaConf.select(defaults, "loss.about.kind") == "own":
            return [f"{words}: there is no key {key}; a parameter of your own loss is given as +{words}"]
        return [f"{words}: there is no key {key}{nearest(key, known)}"]
    return []


def _keys(content: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested mappings, those of the sections among them."""
    for key, value in content.items() if isinstance(content, dict) else ():
        yield f"{prefix}{key}"
        yield from _keys(value, f"{prefix}{key}.")


def _first_line(error: Exception) -> str:
    """Return the first line of an error; all lines of a YAML file's error, which says only further down where it is."""
    lines = str(error).splitlines()
    return " ".join(line.strip() for line in lines) if isinstance(error, YAMLError) else lines[0]
