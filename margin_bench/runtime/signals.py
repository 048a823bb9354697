"""Stopping at the next step boundary when the system or the user asks for it."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from margin_bench.errors import StoppedError

PREEMPTED, INTERRUPTED = 75, 130
EXIT_CODES = {signal.SIGTERM: PREEMPTED, signal.SIGHUP: PREEMPTED, signal.SIGINT: INTERRUPTED}
# By these a job manager says that the time is over; whatever listens to them, as submitit does, requeues the job.
REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Lets no signal that asks for a stop through for the time of the block; processes started in it keep that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*EXIT_CODES, *REQUEUE})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Lets the signals that end a run through again; those that ask for a requeue are for its first process alone."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)


class StopRequest:
    """The exit code that the signals received ask for; 0 as long as none has come."""

    exit_code = 0

    def __init__(self) -> None:
        self.received: set[int] = set()

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.received.add(number)
        self.exit_code = EXIT_CODES.get(signal.Signals(number), PREEMPTED)


@contextlib.contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Notes SIGTERM, SIGHUP and SIGINT for the time of the block, instead of ending the process.

    So it does with SIGUSR1 and SIGUSR2 if there is a handler of theirs, which is called after the block.
    """
    request = StopRequest()
    # Under nohup, SIGHUP is ignored, and stays so.
    numbers = [number for number in EXIT_CODES if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    requeue = [number for number in REQUEUE if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, request.receive) for number in [*numbers, *requeue]}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for received in request.received.intersection(requeue):
            signal.raise_signal(received)


def stopped_error(exit_code: int, where: str) -> StoppedError:
    reason = "interrupted" if exit_code == INTERRUPTED else "preempted"
    return StoppedError(f"{reason}; the state is saved at {where}, the same command goes on from there", exit_code)
