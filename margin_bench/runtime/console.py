"""Tell the user something: lines that survive a reader who has gone, errors as a message and an exit code."""

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from margin_bench.errors import ExitCode, MarginBenchError


def exit_code_of(function: Callable[..., Any], *args: Any) -> int:
    """Call `function(*args)` and return the exit code.

    A mistake of the user is told in a message; an error of ours is raised.
    """
    try:
        function(*args)
    except MarginBenchError as error:
        tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell(ExitCode.INTERRUPTED.meaning)
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def tell(message: str) -> None:
    """Print an error of the user on stderr, with the number of the process where there are several."""
    rank = os.environ.get("RANK")
    say(f"margin-bench{f' [process {rank}]' if rank else ''}: {message}", sys.stderr)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on `stream`, or on stdout. It is no error if nobody reads it any more, as behind `| head`."""
    stream = stream or sys.stdout
    try:
        stream.write(f"{text}\n")  # in one piece, as other processes may write at the same moment
        stream.flush()
    except OSError:
        silence(stream)


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
