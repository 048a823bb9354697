"""Define the errors that a user can cause or meet, and the exit codes of the commands that meet them.

A message says what was expected, what came and what to change, in at most three lines.
"""

import difflib
from collections.abc import Iterable
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """The one table of exit codes, from which the help is made; the README shows it.

    Attributes:
        meaning: what the code tells a user.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> Self:
        """Make the number of an entry, with its meaning."""
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    DONE = 0, "done"
    FAILED = 1, "a run of a sweep or table failed, code that is not ours did, or the output cannot be written"
    USAGE = 2, "usage or configuration"
    DATA = 3, "data"
    RECORD = 4, "checkpoint or record"
    RUN = 5, "numerical or runtime"
    BUSY = 6, "already running"
    PREEMPTED = 75, "preempted"
    INTERRUPTED = 130, "interrupted"


class MarginBenchError(Exception):
    """Shown to the user as its message alone, without a traceback."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = ExitCode(exit_code)


class ConfigError(MarginBenchError):
    """A mistake in the command line or the configuration."""

    exit_code = ExitCode.USAGE


class DataError(MarginBenchError):
    """Images, annotations or pretrained weights that are missing or wrong."""

    exit_code = ExitCode.DATA


class CheckpointError(MarginBenchError):
    """A checkpoint or a record that cannot be written, read or trusted."""

    exit_code = ExitCode.RECORD


class RunError(MarginBenchError):
    """A run that cannot go on: a non-finite number, a dead worker, no memory left."""

    exit_code = ExitCode.RUN


class DivergedError(RunError):
    """A loss, a weight or a score that is not finite: the same command would end the same way again."""


class LostProcessError(RunError):
    """Another process of the run has ended or does not answer; the cause is in what that process says."""


class OutputError(MarginBenchError):
    """What a command prints cannot be written, since the disk is full, say."""


class AlreadyRunningError(MarginBenchError):
    """Another process holds the lock of this run."""

    exit_code = ExitCode.BUSY


class StoppedError(MarginBenchError):
    """A signal stopped the run, which saved its state first; or one of its processes ended and stopped the rest.

    Attributes:
        rank: of the process that ended first; None where a signal came.
    """

    rank: int | None = None


class EndedBySignal(KeyboardInterrupt):
    """A signal ends what goes on, at once.

    Attributes:
        exit_code: PREEMPTED or INTERRUPTED.
    """

    def __init__(self, exit_code: int) -> None:
        self.exit_code = ExitCode(exit_code)
        super().__init__(self.exit_code.meaning)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known names that look like `name`, as the end of an error message; empty if none does.

    Examples:
        >>> nearest("epcohs", ["epochs", "seed"])
        '; did you mean epochs?'
    """
    matches = difflib.get_close_matches(name, list(known), n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(matches)}?" if matches else ""
