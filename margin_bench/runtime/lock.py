"""Give a run one owner: a second start of a run that is going on ends at once."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from margin_bench.errors import AlreadyRunningError, CheckpointError, MarginBenchError, StoppedError
from margin_bench.runtime.signals import stop_request
from margin_bench.runtime.world import World

POLL_SECONDS = 0.2
MOMENT_SECONDS = 0.5  # a start tries for this long, since a process that waits for the run takes its lock now and then


@contextlib.contextmanager
def run_lock(run_dir: Path, world: World) -> Iterator[None]:
    """Own the run's directory in this block, or until the process ends, in whatever way.

    Args:
        run_dir: made if it is not there.
        world: the processes of the run; the first one takes the lock.

    Raises:
        AlreadyRunningError: another process owns it. Raised in every process of this run.
        CheckpointError: the directory cannot be made or written.
    """
    lock = FileLock(run_dir / ".lock", timeout=MOMENT_SECONDS)
    error = world.from_first(_acquire(lock, run_dir) if world.is_first else None)
    if error is not None:
        raise error
    try:
        yield
    finally:
        if world.is_first:
            lock.release()


def wait_until_free(run_dir: Path) -> None:
    """Wait until no process owns the run's directory.

    Raises:
        StoppedError: a signal came before it was free.
    """
    with stop_request() as stop:
        while not (stop.exit_code or _is_free(run_dir)):
            time.sleep(POLL_SECONDS)
    if stop.exit_code:
        raise StoppedError(f"stopped while another process works on {run_dir}", stop.exit_code)


def _is_free(run_dir: Path) -> bool:
    """Return whether no process owns the run's directory. The only way to know is to own it for a moment."""
    try:
        with FileLock(run_dir / ".lock", blocking=False):
            return True
    except Timeout:
        return False


def _acquire(lock: FileLock, run_dir: Path) -> MarginBenchError | None:
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        return AlreadyRunningError(
            f"this run is going on already, in {run_dir}\nWait until it ends, or change the configuration."
        )
    except OSError as error:
        return CheckpointError(
            f"{run_dir} cannot be written: {error.strerror}\nGive a writable folder as runs_dir=DIR."
        )
    return None
