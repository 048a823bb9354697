"""The errors a user can cause or meet, each with the exit code of the command that meets it.

A message says what was expected, what came and what to change, in at most three lines.
"""


class MarginBenchError(Exception):
    """Shown to the user as its message alone, without a traceback."""

    exit_code = 1


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


class AlreadyRunningError(MarginBenchError):
    """Another process holds the lock of this run."""

    exit_code = 6


class StoppedError(MarginBenchError):
    """The run was asked to stop by a signal and saved its state first."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
