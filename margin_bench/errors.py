"""The errors a user can cause or meet, each with the exit code of the command that meets it.

A message says what was expected, what came and what to change, in at most three lines.
"""

import difflib
from collections.abc import Iterable


class MarginBenchError(Exception):
    """Shown to the user as its message alone, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(MarginBenchError):
    """A mistake in the command line or the configuration."""

    exit_code = 2


class DataError(MarginBenchError):
    """Images, annotations or pretrained weights that are missing or wrong."""

    exit_code = 3


class CheckpointError(MarginBenchError):
    """A checkpoint or a record that cannot be written, read or trusted."""

    exit_code = 4


class RunError(MarginBenchError):
    """A run that cannot go on: a non-finite number, a dead worker, no memory left."""

    exit_code = 5


class DivergedError(RunError):
    """A loss, a weight or a score is not finite: the same command would end the same way again."""


class LostProcessError(RunError):
    """Another process of the run has ended or does not answer; what befell it, that process tells."""


class AlreadyRunningError(MarginBenchError):
    """Another process holds the lock of this run."""

    exit_code = 6


class StoppedError(MarginBenchError):
    """The run was stopped by a signal and saved its state first, or one of its processes ended and stopped the rest."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names that look like `name`, as the end of an error message; empty if none does."""
    matches = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(matches)}?" if matches else ""
