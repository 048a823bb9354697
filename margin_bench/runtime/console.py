"""Errors of the user as a message and an exit code, in the command and in every process that it starts."""

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from margin_bench.errors import MarginBenchError
from margin_bench.runtime.signals import INTERRUPTED


def exit_code_of(function: Callable[..., Any], *args: Any) -> int:
    """Calls `function(*args)`; tells the user about an error of theirs. Any other error is ours, and goes through."""
    try:
        function(*args)
    except MarginBenchError as error:
        tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone (`margin-bench ... | head`): there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def tell(message: str) -> None:
    """Prints an error of the user, with the number of the process where there are several."""
    rank = os.environ.get("RANK")
    # In one piece, as others may write at the same moment.
    sys.stderr.write(f"margin-bench{f' [process {rank}]' if rank else ''}: {message}\n")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on `stream`, or stdout. That nobody reads it any more, as behind `| head`, is no error."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        silence(stream)


def counted(number: int, one: str, several: str = "") -> str:
    """A number with the word for one of them or for several, by itself that for one with an `s`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def silence(stream: TextIO) -> None:
    """Send what is still to come on `stream` nowhere, also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
