"""Tell the user something: lines that survive a reader who has gone, errors as a message and an exit code."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from margin_bench.errors import EndedBySignal, ExitCode, MarginBenchError, OutputError, RunError
from margin_bench.runtime.foreign import foreign_traceback
from margin_bench.runtime.text import for_terminal

SHOWN = 100  # characters of a file's name in a message
# What the system may answer to what a user gives, wherever it comes, and the exit code that tells it.
OF_THE_MACHINE = {
    errno.ENAMETOOLONG: ExitCode.USAGE,
    errno.ENOSPC: ExitCode.RECORD,
    errno.EDQUOT: ExitCode.RECORD,
    errno.EROFS: ExitCode.RECORD,
    errno.ENOMEM: ExitCode.RUN,
    errno.EMFILE: ExitCode.RUN,
}


def exit_code_of(function: Callable[..., Any], *args: Any) -> int:
    """Call `function(*args)` and return the exit code.

    A mistake of the user, and what the machine could not do, is told in a message; an error in the user's own code by
    its traceback, without ours. An error of ours is raised.
    """
    try:
        function(*args)
    except MarginBenchError as error:
        tell(str(error))
        return error.exit_code
    except MemoryError:
        tell(str(no_memory("")))
        return ExitCode.RUN
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            return _failed(error)
        tell(f"{error.strerror}{f': {str(error.filename)[:SHOWN]!r}' if error.filename else ''}")
        return OF_THE_MACHINE[error.errno]
    except Exception as error:
        return _failed(error)
    except KeyboardInterrupt as interrupt:
        code = interrupt.exit_code if isinstance(interrupt, EndedBySignal) else ExitCode.INTERRUPTED
        tell(code.meaning)
        return code
    return ExitCode.DONE


def _failed(error: Exception) -> int:
    """Tell an error in the user's own code; raise one of ours."""
    told = foreign_traceback(error)
    if told is None:
        raise error
    tell(f"an error in code of your own\n{told}")
    return ExitCode.FAILED


def no_memory(cause: str) -> RunError:
    """Return the error of a run or a command for which the memory does not suffice.

    Args:
        cause: what the allocator says; may be empty.
    """
    return RunError(
        f"no memory left{f': {cause}' if cause else ''}\n"
        "Lower microbatch_size or workers, or take a smaller data set; the bucket may stay as large as it is."
    )


def tell(message: str) -> None:
    """Print an error of the user on stderr, with the number of the process where there are several."""
    rank = os.environ.get("RANK")
    say(f"margin-bench{f' [process {rank}]' if rank else ''}: {message}", sys.stderr)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on `stream`, or on stdout. It is no error if nobody reads it any more, as behind `| head`.

    Raises:
        OutputError: stdout cannot be written for another reason, since the disk is full, say.
    """
    stream = stream or sys.stdout
    if stream is None:  # it was closed before we began
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        # In one piece, as other processes may write at the same moment.
        stream.write(f"{for_terminal(text)}\n".encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as error:
        silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise OutputError(f"the output cannot be written: {error.strerror or error}") from error


class _ToldWarnings(logging.Handler):
    """Tell what our modules log, as all else is told."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        tell(record.getMessage())


def show_warnings() -> None:
    """Tell the warnings of our modules from now on."""
    logger = logging.getLogger("margin_bench")
    if not logger.handlers:
        logger.addHandler(_ToldWarnings())


def silence(stream: TextIO) -> None:
    """Send all further output of `stream` nowhere, also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with the word for one of them or for several; without `several` that is `one` and an `s`.

    Examples:
        >>> counted(1, "class", "classes"), counted(1200, "row")
        ('1 class', '1,200 rows')
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
