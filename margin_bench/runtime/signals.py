"""Heed the signals by which the system or the user asks for a stop.

What trains notes them, and stops at a step boundary; all else ends at once, as by Ctrl-C.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from margin_bench.errors import EndedBySignal, ExitCode, StoppedError

EXIT_CODES = {
    signal.SIGTERM: ExitCode.PREEMPTED,
    signal.SIGHUP: ExitCode.PREEMPTED,
    signal.SIGINT: ExitCode.INTERRUPTED,
}
# By these a job manager says that the time is over. Whatever listens to them, as submitit does, requeues the job.
REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)

WAIT_SECONDS = 300.0  # for a batch of images
PATIENCE_SECONDS = 1.5  # for which what is waited for may still come after a signal
AGAIN_SECONDS = 0.5  # a second Ctrl-C that comes sooner is the same one, passed on by another process


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise EndedBySignal in this block at each signal that asks for a stop, wherever the main thread then is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    raise EndedBySignal(EXIT_CODES[signal.Signals(number)])


def _heeded() -> list[signal.Signals]:
    """Return the signals that ask for a stop, but not SIGHUP where it is ignored, as by nohup."""
    return [number for number in EXIT_CODES if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]


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
    """Hold the exit code that the received signals ask for; 0 as long as none has come.

    What waits for something that may never come does so within `waiting`.

    Args:
        timeout: seconds for which that is waited for; 0: without end, whatever comes.

    Attributes:
        exit_code: PREEMPTED, INTERRUPTED, or DONE.
        is_urgent: whether nothing may be finished any more, as a second Ctrl-C came.
    """

    exit_code: int = ExitCode.DONE
    is_urgent = False

    def __init__(self, timeout: float = 0) -> None:
        self.received: set[int] = set()
        self._timeout = timeout
        self._interrupted_at = float("inf")
        self._is_waiting = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; this is a handler for `signal.signal`.

        Raises:
            EndedBySignal: it is a second Ctrl-C.
        """
        now = time.monotonic()
        if number == signal.SIGINT:
            if now - self._interrupted_at > AGAIN_SECONDS:
                self.is_urgent = True
                raise EndedBySignal(ExitCode.INTERRUPTED)
            self._interrupted_at = min(self._interrupted_at, now)
        self.received.add(number)
        self.exit_code = EXIT_CODES.get(signal.Signals(number), ExitCode.PREEMPTED)
        if self._is_waiting:
            self._set_alarm(PATIENCE_SECONDS)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Give up what is waited for in this block soon after a signal, or after the timeout.

        Raises:
            EndedBySignal: a signal came, and what is waited for did not.
            TimeoutError: neither came.
        """
        self._is_waiting = True
        self._set_alarm(PATIENCE_SECONDS if self.exit_code else self._timeout)
        try:
            yield
        finally:
            self._is_waiting = False
            self._set_alarm(0)

    def end_wait(self, number: int, frame: FrameType | None) -> None:
        """End the wait that goes on; this is a handler for SIGALRM."""
        if self._is_waiting:
            self._is_waiting = False
            raise EndedBySignal(self.exit_code) if self.exit_code else TimeoutError(f"{self._timeout:g} s")

    def _set_alarm(self, seconds: float) -> None:
        if self._timeout:  # else nobody heeds it
            signal.setitimer(signal.ITIMER_REAL, seconds)


@contextlib.contextmanager
def stop_request(timeout: float = WAIT_SECONDS) -> Iterator[StopRequest]:
    """Note SIGTERM, SIGHUP and SIGINT in this block, instead of ending the process.

    SIGUSR1 and SIGUSR2 are noted too where they have a handler, which is called after the block.

    Args:
        timeout: seconds above 0 for which a batch, say, is waited for.
    """
    request = StopRequest(timeout)
    requeue = [number for number in REQUEUE if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, request.receive) for number in [*_heeded(), *requeue]}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, request.end_wait)
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
