"""From the words of a command line to a configuration, or to all that is wrong with them. Imports no torch."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from margin_bench.config import configs_dir, leaves, mistakes_in, register_resolvers
from margin_bench.errors import ConfigError, nearest

# From overrides to the configuration of the command in question.
Composed = Callable[[Sequence[str]], DictConfig]


def check(
    command: str, overrides: Sequence[str], config_dir: str | None = None, num_processes: int | None = None
) -> None:
    """Checks the overrides of one run, or of every value of a sweep.

    Args:
        overrides: in Hydra's grammar.
        config_dir: a further folder of YAML files, the user's own.
        num_processes: how many processes an outer launcher has started; None: `devices` counts.

    Raises:
        ConfigError: names every mistake, a line each.
    """
    register_resolvers()
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []

    def composed(words: Sequence[str]) -> DictConfig:
        return compose(command, [*search, *words])

    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        mistakes = _syntax_mistakes(overrides)
        if not mistakes:
            for cell in _cells(overrides):
                found = _mistakes(command, composed, cell, num_processes)
                mistakes += [mistake for mistake in found if mistake not in mistakes]
    if mistakes:
        raise ConfigError("\n".join(mistakes))


def _syntax_mistakes(overrides: Sequence[str]) -> list[str]:
    mistakes = []
    for override in overrides:
        try:
            OverridesParser.create().parse_override(override)
        except HydraException:
            mistakes.append(f"{override}: expected key=value")
    return mistakes


def _cells(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of single runs in which every value of a sweep stands at least once."""
    parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(overrides))
    values = [_single_values(override) for override in parsed]
    first = [choices[0] for choices in values]
    yield first
    for position, choices in enumerate(values):
        for choice in choices[1:]:
            yield [*first[:position], choice, *first[position + 1 :]]


def _single_values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _mistakes(command: str, composed: Composed, overrides: list[str], num_processes: int | None) -> list[str]:
    """What is wrong with the overrides of one run: with the choices of groups, with keys, with values."""
    choices = [override for override in overrides if _is_choice(override)]
    values = [override for override in overrides if override not in choices]
    mistakes, choices = _sift(choices, lambda choice: _choice_mistakes(composed, choice))
    defaults = composed(choices)
    wrong_keys, values = _sift(values, lambda value: _key_mistakes(composed, choices, value, defaults))
    config = composed(choices + values)
    return mistakes + wrong_keys + mistakes_in(command, config, defaults, num_processes)


def _sift(overrides: list[str], mistakes_of: Callable[[str], list[str]]) -> tuple[list[str], list[str]]:
    """All mistakes, and the overrides without one."""
    found = {override: mistakes_of(override) for override in overrides}
    return [mistake for mistakes in found.values() for mistake in mistakes], [o for o in overrides if not found[o]]


def _is_choice(override: str) -> bool:
    """Whether an override chooses a file of a group (`dataset=coco`), or where to look for them."""
    parsed = OverridesParser.create().parse_override(override)
    key = parsed.key_or_group
    return key.startswith("hydra") or bool(GlobalHydra.instance().config_loader().get_group_options(key))


def _choice_mistakes(composed: Composed, choice: str) -> list[str]:
    try:
        composed([choice])
    except MissingConfigException as error:
        key, _, value = choice.partition("=")
        options = sorted(error.options or [])
        return [f"{choice}: there is no {key} {value}{nearest(value, options)} (known: {', '.join(options)})"]
    except (HydraException, OmegaConfBaseException) as error:
        return [f"{choice}: {_first_line(error)}"]
    return []


def _key_mistakes(composed: Composed, choices: list[str], override: str, known: DictConfig) -> list[str]:
    key = OverridesParser.create().parse_override(override).key_or_group
    if key == "loss.way" and OmegaConf.select(known, "loss.about.kind") == "point-wise":
        return [
            f"{override}: {known.loss.name} is point-wise, it looks at each logit alone, so a way changes nothing; "
            "leave it out, or take a relative loss (margin-bench losses lists them)"
        ]
    try:
        composed([*choices, override])
    except ConfigCompositionException as error:
        if OmegaConf.select(known, key) is not None:
            return [f"{override}: {_first_line(error)}"]
        return [f"{override}: there is no key {key}{nearest(key, _keys(known))}"]
    except (HydraException, OmegaConfBaseException) as error:
        return [f"{override}: {_first_line(error)}"]
    return []


def _keys(config: DictConfig) -> list[str]:
    return sorted({key for path, _ in leaves(config) for key in _with_parents(path)})


def _with_parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
