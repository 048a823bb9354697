"""Let every process of a run leave its error where the first can read it, so that the record names the cause.

When a process fails, the others only find that it does not answer. Each that fails writes a file of its own; who has
written none was killed, or hangs.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from margin_bench.errors import CheckpointError, LostProcessError, StoppedError
from margin_bench.runtime.files import read_regular, write_atomic
from margin_bench.runtime.world import World

FOLDER = ".errors"  # in the run's directory, a file for each process that failed, named by its rank
UNKNOWN_CAUSE = "the processes of the run do not answer"
SECONDS_TO_TELL = 2.0  # in which processes that fail together have told it


def clear(run_dir: Path) -> None:
    """Remove what an earlier start of the run has left."""
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)


@contextlib.contextmanager
def left(run_dir: Path, world: World) -> Iterator[None]:
    """Leave the error of this process, if the block raises one.

    Raises:
        LostProcessError: another process is the cause, which is named as far as it is known.
    """
    try:
        yield
    except LostProcessError as lost:
        _leave(run_dir, world, "")
        raise LostProcessError(_known_cause(run_dir, world) if world.is_first else str(lost)) from lost
    except (KeyboardInterrupt, StoppedError):  # it was stopped, for whatever reason
        _leave(run_dir, world, "")
        raise
    except BaseException as error:
        _leave(run_dir, world, f"{type(error).__name__}: {error}".strip(": \n"))
        raise


def told(run_dir: Path) -> list[str]:
    """Return what processes have left as causes, by rank."""
    texts = [(int(path.name), _read(path)) for path in (run_dir / FOLDER).glob("[0-9]*")]
    return [f"process {rank} failed: {text}" for rank, text in sorted(texts) if text]


def has_left_something(run_dir: Path, rank: int) -> bool:
    """Return whether a process came to the end of its work in some way: it did not crash, nor was it killed."""
    return (run_dir / FOLDER / str(rank)).exists()


def _leave(run_dir: Path, world: World, text: str) -> None:
    """Write what ended this process; nothing, where another did."""
    if world.size > 1:
        with contextlib.suppress(CheckpointError):
            write_atomic(run_dir / FOLDER / str(world.rank), text.encode("utf-8", "backslashreplace"))


def _known_cause(run_dir: Path, world: World) -> str:
    """Return in words which process is the cause, and why."""
    until = time.monotonic() + SECONDS_TO_TELL
    while not told(run_dir) and _silent(run_dir, world) and time.monotonic() < until:
        time.sleep(0.05)
    if causes := told(run_dir):
        return causes[0]
    names = ", ".join(map(str, _silent(run_dir, world))) or "?"
    return f"{UNKNOWN_CAUSE}: {names} of {world.size}, counted from 0, crashed, was killed or hangs"


def _silent(run_dir: Path, world: World) -> list[int]:
    """Return the ranks that have left nothing."""
    return [rank for rank in range(world.size) if not has_left_something(run_dir, rank)]


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode("utf-8", "replace")
    except OSError:
        return ""
