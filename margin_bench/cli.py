"""The command line: sub-commands in front of Hydra's grammar, and the exit code of every error.

Nothing heavy is imported before it is needed: the help and a mistake in the configuration never wait for torch.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING

from margin_bench import __version__
from margin_bench.errors import ConfigError, ExitCode, MarginBenchError, nearest
from margin_bench.runtime.console import exit_code_of, say

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMMANDS = {
    "train": "one run, or a sweep with -m; with no override: two-way loss on the embedded digits, about a minute",
    "evaluate": "the scores of a finished run, computed again",
    "compare": "finished runs beside one another: paired differences with their intervals",
    "data": "list, prepare NAME, check NAME: what is known, fetched, and right",
    "reproduce": "runs what a table of the paper, or of yours, still lacks, then shows it",
    "tables": "the tables from the records that exist; runs nothing",
    "losses": "the catalogue of losses with a guide to choosing one; losses NAME: all about one",
}

# Commands that take words of their own instead of Hydra's: the module and the function that read them.
OWN_WORDS = {
    "compare": ("margin_bench.commands.compare", "run"),
    "data": ("margin_bench.commands.data", "run"),
    "reproduce": ("margin_bench.commands.reproduce", "reproduce"),
    "tables": ("margin_bench.commands.tables", "tables"),
}

HELP = f"""margin-bench {__version__}: which loss, used in which way, ranks classes and samples best?

usage: margin-bench COMMAND [key=value ...]

commands:
{chr(10).join(f"  {name:<10}{summary}" for name, summary in COMMANDS.items())}

examples:
  margin-bench train loss.way=class seed=1
  margin-bench train -m loss.positive_temperature=1,2,4 seed=0,1,2
  margin-bench train dataset=coco dataset.root=/data/coco
  margin-bench train --cfg job            what a run would use
  margin-bench COMMAND --help             every key and group of a command

shell completion: eval "$(margin-bench -sc install=bash)"

exit codes:
{chr(10).join(f"  {code:<10}{code.meaning}" for code in ExitCode)}"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line (without the program's name) and returns the exit code."""
    return exit_code_of(_dispatch, sys.argv[1:] if arguments is None else arguments)


def _dispatch(arguments: list[str]) -> None:
    command, *rest = arguments or ["--help"]
    if command in ("-h", "--help", "help"):
        say(HELP)
    elif command == "--version":
        say(f"margin-bench {__version__}")
    elif command in ("-sc", "--shell-completion"):
        _complete(arguments)
    elif command == "losses":
        _show_losses(rest)
    elif command in OWN_WORDS:
        module, function = OWN_WORDS[command]
        getattr(importlib.import_module(module), function)(rest)
    elif command in COMMANDS:
        _run_hydra(command, rest)
    else:
        raise ConfigError(f"there is no command {command}{nearest(command, COMMANDS)}\nmargin-bench --help lists them")


def _show_losses(arguments: list[str]) -> None:
    """Prints the catalogue, or one loss of it. This command takes no overrides."""
    from margin_bench.commands.losses import show

    if set(arguments) & {"-h", "--help"}:
        say("usage: margin-bench losses [NAME]")
    elif options := [word for word in arguments if word.startswith("-")]:
        raise ConfigError(f"unknown option {options[0]}\nusage: margin-bench losses [NAME]")
    elif len(arguments) > 1:
        raise ConfigError(f"margin-bench losses takes one name, got {' '.join(arguments)}")
    else:
        say(show(*arguments).rstrip())


def _run_hydra(command: str, arguments: list[str]) -> None:
    """Checks the configuration, then hands over to Hydra, which calls the task of the command."""
    from margin_bench.config.compose import check, refuse_sweeps
    from margin_bench.config.hydra_internals import arguments_parser
    from margin_bench.config.schema import register_resolvers
    from margin_bench.config.sources import Sources

    parsed, unknown = arguments_parser().parse_known_intermixed_args(arguments)
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]}\nmargin-bench {command} --help lists the options")
    sources = Sources.of(parsed.config_dir)
    if not (parsed.help or parsed.hydra_help or parsed.info or parsed.shell_completion):
        if not parsed.multirun:
            refuse_sweeps(parsed.overrides)
        check(command, parsed.overrides, sources, _outer_processes())
    if parsed.multirun and not (parsed.cfg or parsed.info or parsed.help or parsed.hydra_help):
        from margin_bench.launch.grid import sweep

        sweep(command, parsed.overrides, sources)
        return
    register_resolvers()
    # Errors are ours to print; Hydra would turn them into a traceback and exit code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    options = [word for word in arguments if word not in parsed.overrides]
    program = "margin-bench" if parsed.shell_completion else f"margin-bench {command}"
    sys.argv = [program, *options, *parsed.overrides]  # Hydra takes no option between overrides
    _hand_over(command)


def _hand_over(command: str) -> None:
    """Lets Hydra call the task, or print what its options ask for, and raises what ended it."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from margin_bench.config.schema import configs_dir
    from margin_bench.launch.task import TASKS

    errors: list[MarginBenchError] = []

    def task(config: "DictConfig") -> None:
        try:
            TASKS[command](config).do()
        except MarginBenchError as error:
            errors.append(error)

    try:
        hydra.main(version_base="1.3", config_path=str(configs_dir()), config_name=command)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from error
    if errors:
        raise errors[0]


def _outer_processes() -> int | None:
    """How many processes torchrun has started; None without it."""
    size = os.environ.get("WORLD_SIZE")
    return int(size) if size else None


def _complete(arguments: list[str]) -> None:
    """Shell completion: Hydra completes what stands after a command, and knows no commands itself."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if any(argument.startswith("query=") for argument in arguments):
        if len(words) < 3:
            say("\n".join(name for name in COMMANDS if name.startswith(words[-1])))
            return
        if words[1] == "losses" or words[1] in OWN_WORDS:
            say("\n".join(word for word in _words_after(words[1:-1]) if word.startswith(words[-1])))
            return
        if words[1] not in COMMANDS:
            return
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])
        os.environ["COMP_POINT"] = str(len(os.environ["COMP_LINE"]))
    command = words[1] if len(words) > 2 else "train"
    _run_hydra(command, arguments)


def _words_after(words: list[str]) -> list[str]:
    """What can stand after a command that takes no overrides, or takes names before them."""
    if words == ["losses"]:
        from margin_bench.commands.losses import entries

        return [entry.name for entry in entries()]
    if words[0] in ("tables", "reproduce"):
        from margin_bench.config.sources import Sources

        return list(Sources().options("table"))
    if words[0] == "compare":
        from margin_bench.config.schema import default_runs_dir
        from margin_bench.records.record import RECORD

        return sorted(path.parent.name for path in default_runs_dir().glob(f"*/{RECORD}"))
    from margin_bench.commands.data import ACTIONS
    from margin_bench.config.sources import Sources

    return list(ACTIONS if words == ["data"] else Sources().options("dataset"))
