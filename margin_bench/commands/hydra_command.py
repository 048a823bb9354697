"""Do a command whose words are Hydra's: `train` or `evaluate`, once or, with `-m`, for every run of a sweep."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from margin_bench.commands.yaml_comments import comments_of, with_comments
from margin_bench.config.compose import check, refuse_sweeps
from margin_bench.config.hydra_internals import arguments_parser
from margin_bench.config.sources import Sources, configs_dir, register_resolvers
from margin_bench.errors import ConfigError
from margin_bench.launch.task import TASKS
from margin_bench.runtime.console import say

COMPLETIONS = ("install=", "uninstall=", "query=")
SHELLS = ("bash", "fish", "zsh")


def run(command: str, arguments: Sequence[str]) -> None:
    """Check the configuration, then do the task of the command, or show what an option of Hydra's asks for.

    Raises:
        ConfigError: a word is not understood.
        MarginBenchError: what ended the task.
    """
    line = _read(command, arguments)
    sources = Sources.of(line.config_dir)
    is_about_words = line.help or line.hydra_help or line.info or line.shell_completion
    if not is_about_words:
        _check(command, line, sources)
    if is_about_words or line.cfg:
        say(_shown(command, line, arguments))
    elif line.multirun:
        from margin_bench.launch.grid import sweep  # which imports torch

        sweep(command, line.overrides, sources)
    else:
        _hand_over(command, line, arguments)


def _read(command: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options of Hydra and the overrides.

    Raises:
        ConfigError: there is no such option, or some do not go together.
    """
    line, unknown = arguments_parser().parse_known_intermixed_args(arguments)
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]}\nmargin-bench {command} --hydra-help lists the options")
    chosen = {"--multirun": line.multirun, "--cfg": line.cfg, "--info": line.info}
    if len(several := [option for option in chosen if chosen[option]]) > 1:
        raise ConfigError(f"{' and '.join(several)} do not go together: give one of them")
    if line.resolve and not (line.cfg or line.help):
        raise ConfigError("--resolve is for --cfg: it shows values in the place of references")
    if line.shell_completion and not _is_completion(line.overrides):
        raise ConfigError(
            f"-sc: expected one of {', '.join(COMPLETIONS)} with {', '.join(SHELLS)}, as -sc install=bash"
        )
    if line.config_name or line.config_path:
        raise ConfigError(
            f"margin-bench {command} has its own configuration: leave out --config-name and --config-path"
        )
    _check_keys(line.overrides)
    return line


def _is_completion(words: Sequence[str]) -> bool:
    """Tell whether the words of `-sc` ask for something that Hydra knows."""
    actions = [word.partition("=") for word in words if word.startswith(COMPLETIONS)]
    return bool(actions) and all(shell in SHELLS for _, _, shell in actions)


def _check_keys(overrides: Sequence[str]) -> None:
    """Refuse an override without a key, and one that makes a sweep past us.

    Raises:
        ConfigError: names the first.
    """
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0].strip()
        if not key:
            raise ConfigError(f"{override!r}: expected KEY=VALUE")
        if key == "hydra.mode":
            raise ConfigError(f"{override}: leave it out; a sweep wants -m")


def _check(command: str, line: argparse.Namespace, sources: Sources) -> None:
    """Check the overrides.

    Raises:
        ConfigError: names every mistake in them.
    """
    if not line.multirun:
        refuse_sweeps(line.overrides)
    check(command, line.overrides, sources, _outer_processes())


def _outer_processes() -> int | None:
    """Return how many processes torchrun has started; None without it."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        number = os.environ.get(name) or "0"
        if not (number.isascii() and number.isdigit()):
            raise ConfigError(
                f"{name}={number} in the environment: expected a number, as torchrun sets it, or unset it"
            )
    return int(os.environ.get("WORLD_SIZE") or 0) or None


def _shown(command: str, line: argparse.Namespace, arguments: Sequence[str]) -> str:
    """Return what Hydra prints; in the help, the comments of the command's YAML file stand beside its keys."""
    # Hydra ends the process after some of its options.
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        _hand_over(command, line, arguments)
    text = printed.getvalue().rstrip("\n")
    if not line.help:
        return text
    before, title, keys = text.partition("== Config ==")
    return before + title + with_comments(keys, comments_of(configs_dir() / f"{command}.yaml"))


def _hand_over(command: str, line: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Let Hydra do the task, or print what its options ask for; raise what ended it."""
    errors: list[Exception] = []

    def task(config: DictConfig) -> None:
        """Do the task, and keep its error, which Hydra would print in its own way, with forty lines of its own."""
        try:
            TASKS[command](config).do()
        except Exception as error:
            errors.append(error)

    register_resolvers()
    program = "margin-bench" if line.shell_completion else f"margin-bench {command}"
    options = [word for word in arguments if word not in line.overrides]
    sys.argv = [program, *options, *line.overrides]  # Hydra takes no option between overrides
    os.environ["HYDRA_FULL_ERROR"] = "1"  # an error of ours goes through, instead of being printed in short
    try:
        hydra.main(version_base="1.3", config_path=str(configs_dir()), config_name=command)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from error
    if errors:
        raise errors[0]
