"""Give a run one owner: a second start of a run that is going on ends at once."""

import contextlib
import errno
import fcntl
import os
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
    with contextlib.ExitStack() as held:
        error = world.from_first(_acquire(held, run_dir) if world.is_first else None)
        if error is not None:
            raise error
        yield


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
        with _owned(run_dir, seconds=0):
            return True
    except Timeout:
        return False


def _acquire(held: contextlib.ExitStack, run_dir: Path) -> MarginBenchError | None:
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        held.enter_context(_owned(run_dir, MOMENT_SECONDS))
    except Timeout:
        return AlreadyRunningError(
            f"this run is going on already, in {run_dir}\nWait until it ends, or change the configuration."
        )
    except OSError as error:
        return CheckpointError(
            f"{run_dir} cannot be written: {error.strerror}\nGive a writable folder as runs_dir=DIR."
        )
    return None


@contextlib.contextmanager
def _owned(run_dir: Path, seconds: float) -> Iterator[None]:
    """Hold both locks of a run: that of a file, which may be deleted meanwhile, and that of the directory itself.

    Raises:
        Timeout: another process holds one of them for all these seconds.
        OSError: they cannot be taken.
    """
    with FileLock(run_dir / ".lock", timeout=seconds), _folder_lock(run_dir, seconds):
        yield


@contextlib.contextmanager
def _folder_lock(folder: Path, seconds: float) -> Iterator[None]:
    """Lock a directory, where the file system can: one of a network may not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + seconds
        while not _try_to_lock(descriptor):
            if time.monotonic() >= until:
                raise Timeout(str(folder))
            time.sleep(POLL_SECONDS / 4)
        try:
            yield
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    """Return whether the lock of an open directory is ours, or its file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN)
    return True


def _unlock(descriptor: int) -> None:
    """Give a directory's lock back, which processes that were forked meanwhile hold too."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
