"""Parse the command lines of commands that are not Hydra's, and complete them in a shell.

One parser serves all of these commands. Each tells it in `add_arguments` what it takes.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, Protocol

from margin_bench.errors import ConfigError, nearest
from margin_bench.runtime.console import say

# A `=` may also stand in the path of a run, but behind a separator.
OVERRIDE = re.compile(r"[+~]*(hydra/)?[\w.]+=")


class Parser(argparse.ArgumentParser):
    """Read the words after one command: those it needs, then its options.

    Args:
        command: its name.
        summary: what it does.
    """

    def __init__(self, command: str, summary: str) -> None:
        self._known: Callable[[argparse.Namespace], Iterable[str]] = lambda parsed: ()
        self._options: dict[str, argparse.Action] = {}
        super().__init__(
            prog=f"margin-bench {command}",
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,  # argparse would end the process after it
        )
        self.add_argument("-h", "--help", action="store_true", help="show this")

    def add_words(self, usage: str, meaning: str, known: Callable[[argparse.Namespace], Iterable[str]]) -> None:
        """Take words that are no options, as `words`.

        Args:
            usage: their order, as the help shows it.
            meaning: what they mean.
            known: returns those that can stand next, from what has been read of the line so far.
        """
        self.usage = f"{self.prog} {usage} [options]"
        self.description = f"{self.description}\n\n{meaning.rstrip()}"
        self._known = known
        self.add_argument("words", nargs="*", help=argparse.SUPPRESS)

    def add_config_dir(self) -> None:
        """Take `--config-dir DIR`."""
        self.add_argument("--config-dir", metavar="DIR", help="your own YAML files: loss/, dataset/, table/, ...")

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Take one more argument."""
        action = super().add_argument(*names, **options)
        self._options |= dict.fromkeys(action.option_strings, action)
        return action

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say.

        Raises:
            ConfigError: a word is not understood.
        """
        parsed, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            self.error(f"unknown option {unknown[0]}{nearest(unknown[0].partition('=')[0], self._options)}")
        return parsed

    def completions(self, words: Sequence[str]) -> list[str]:
        """Return what the last of the words can become; nothing where it is a file: those the shell knows."""
        *before, last = words
        option = self._options.get(before[-1]) if before else None
        candidates: Iterable[str]
        if option is not None and option.nargs != 0:
            candidates = option.choices or ()
        elif last.startswith("-"):
            candidates = self._options
        else:
            candidates = self._known(self.parse_known_intermixed_args(before)[0])
        return [candidate for candidate in candidates if candidate.startswith(last)]

    def error(self, message: str) -> NoReturn:
        """Raise a mistake of the user."""
        raise ConfigError(f"{self.prog}: {message}\n{self.prog} --help shows what there is")

    def print_help(self, file: Any = None) -> None:
        """Print the help."""
        say(self.format_help().rstrip())


class Command(Protocol):
    """The functions of a module with the name of a command."""

    def add_arguments(self, parser: Parser) -> None:
        """Tell the parser what the command takes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Do the command."""


def names_and_overrides(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that name something, and those that are overrides.

    Examples:
        >>> names_and_overrides(["table1", "epochs=3", "runs/lr=0.1/a"])
        (['table1', 'runs/lr=0.1/a'], ['epochs=3'])
    """
    overrides = [word for word in words if OVERRIDE.match(word)]
    return [word for word in words if word not in overrides], overrides
