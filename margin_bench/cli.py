"""Find the command of a command line and run it; its errors become messages and exit codes.

Nothing heavy is imported before it is needed: the help and a mistake in the configuration never wait for torch.
"""

import importlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from margin_bench import __version__
from margin_bench.errors import ConfigError, ExitCode, nearest
from margin_bench.runtime.console import exit_code_of, say, show_warnings
from margin_bench.runtime.signals import ended_by_signals

if TYPE_CHECKING:
    from margin_bench.commands.arguments import Command, Parser

# A command is a line here, and the module of its name in `commands`. Those of Hydra are tasks of `launch.task` instead.
COMMANDS = {
    "train": "train one run, or a sweep with -m; with no override: two-way loss on the embedded digits, about a minute",
    "evaluate": "score a finished run again",
    "compare": "compare finished runs: paired differences with their intervals",
    "data": "list, prepare or check data sets",
    "reproduce": "run what a table of the paper, or of yours, still lacks, then show it",
    "tables": "show the tables from the records that exist; runs nothing",
    "losses": "show the losses with a guide to choosing one, or all about one of them",
}
OF_HYDRA = ("train", "evaluate")

HELP = f"""margin-bench {__version__}: which loss, used in which way, ranks classes and samples best?

usage: margin-bench COMMAND [NAME ...] [key=value ...] [options]

commands:
{chr(10).join(f"  {name:<11}{summary}" for name, summary in COMMANDS.items())}

examples:
  margin-bench train loss.way=class seed=1
  margin-bench train -m loss.positive_temperature=1,2,4 seed=0,1,2
  margin-bench train dataset=coco dataset.root=/data/coco
  margin-bench train --cfg job            what a run would use
  margin-bench COMMAND --help             every word that a command takes

shell completion: eval "$(margin-bench -sc install=bash)"

exit codes:
{chr(10).join(f"  {code:<11}{code.meaning}" for code in ExitCode)}"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command line, given without the program's name, and return the exit code."""
    return exit_code_of(_heedful, sys.argv[1:] if arguments is None else arguments)


def _heedful(arguments: list[str]) -> None:
    """Run one command line; a signal ends it, wherever it is."""
    show_warnings()
    with ended_by_signals():
        _run(arguments)


def _run(arguments: list[str]) -> None:
    """Check what a command stands on, then run it.

    Raises:
        ConfigError: the working folder is gone, or there is no home.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the working folder does not exist any more: change to one that does") from None
    try:
        home = os.environ.get("HOME") or str(Path.home())
    except RuntimeError:  # nobody knows it
        if not (home := os.environ.get("MARGIN_BENCH_DATA", "")):
            raise ConfigError(
                "there is no home folder: set HOME, or MARGIN_BENCH_DATA to the folder of the data sets"
            ) from None
    os.environ["HOME"] = home  # which configurations name
    _dispatch(arguments)


def _dispatch(arguments: list[str]) -> None:
    """Run the command that the first word names."""
    command, *words = arguments or ["--help"]
    if command in ("-h", "--help", "help"):
        say(HELP)
    elif command == "--version":
        say(f"margin-bench {__version__}")
    elif command in ("-sc", "--shell-completion"):
        _complete(arguments)
    elif command in OF_HYDRA:
        _run_hydra(command, words)
    elif command in COMMANDS:
        module, parser = _module_and_parser(command)
        line = parser.read(words)
        if line.help:
            parser.print_help()
        else:
            module.run(line)
    else:
        raise ConfigError(f"there is no command {command}{nearest(command, COMMANDS)}\nmargin-bench --help lists them")


def _module_and_parser(command: str) -> "tuple[Command, Parser]":
    """Import the module of a command with words of its own, and make the parser of these."""
    from margin_bench.commands.arguments import Parser

    module = cast("Command", importlib.import_module(f"margin_bench.commands.{command}"))
    parser = Parser(command, COMMANDS[command])
    module.add_arguments(parser)
    return module, parser


def _run_hydra(command: str, words: list[str]) -> None:
    """Run a command with the words of Hydra."""
    from margin_bench.commands import hydra_command

    hydra_command.run(command, words)


def _complete(arguments: list[str]) -> None:
    """Print what a shell asks for: the script that it installs, or the words that can stand next on its line."""
    words = os.environ.get("COMP_LINE", "").split(" ")[1:]
    if not any(argument.startswith("query=") for argument in arguments):
        _run_hydra("train", arguments)
    elif len(words) < 2:
        say("\n".join(name for name in COMMANDS if name.startswith("".join(words))))
    elif words[0] in OF_HYDRA:
        os.environ["COMP_LINE"] = " ".join(["margin-bench", *words[1:]])  # Hydra knows no commands
        _run_hydra(words[0], arguments)
    elif words[0] in COMMANDS:
        with suppress(ConfigError):  # of a word before
            _, parser = _module_and_parser(words[0])
            say("\n".join(parser.completions(words[1:])))
