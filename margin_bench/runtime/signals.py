"""Note the signals by which the system or the user asks for a stop, so that a run stops at a step boundary."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from margin_bench.errors import ExitCode, StoppedError

EXIT_CODES = {
    signal.SIGTERM: ExitCode.PREEMPTED,
    signal.SIGHUP: ExitCode.PREEMPTED,
    signal.SIGINT: ExitCode.INTERRUPTED,
}
# By these a job manager says that the time is over. Whatever listens to them, as submitit does, requeues the job.
REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Block every signal that asks for a stop, in this block and in processes that are started in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*EXIT_CODES, *REQUEUE})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Unblock the signals that end a run. Those that ask for a requeue are for its first process alone."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)


class StopRequest:
    """Hold the exit code that the received signals ask for; 0 as long as none has come."""

    exit_code: int = ExitCode.DONE

    def __init__(self) -> None:
        self.received: set[int] = set()

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; this is a handler for `signal.signal`."""
        self.received.add(number)
        self.exit_code = EXIT_CODES.get(signal.Signals(number), ExitCode.PREEMPTED)


@contextlib.contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Note SIGTERM, SIGHUP and SIGINT in this block, instead of ending the process.

    SIGUSR1 and SIGUSR2 are noted too where they have a handler, which is called after the block.
    """
    request = StopRequest()
    # nohup has SIGHUP ignored, which stays so.
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
    """Return the error of a run that a signal has stopped.

    Args:
        exit_code: PREEMPTED or INTERRUPTED.
        where: the epoch and step at which the state is saved.
    """
    reason = ExitCode(exit_code).meaning
    return StoppedError(f"{reason}; the state is saved at {where}, and the same command goes on from there", exit_code)
