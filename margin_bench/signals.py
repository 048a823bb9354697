"""Stopping at the next step boundary when the system or the user asks for it."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from margin_bench.errors import StoppedError

PREEMPTED, INTERRUPTED = 75, 130
EXIT_CODES = {signal.SIGTERM: PREEMPTED, signal.SIGHUP: PREEMPTED, signal.SIGINT: INTERRUPTED}


class StopRequest:
    """The exit code that a SIGTERM, SIGHUP or SIGINT asks for; 0 as long as none has come."""

    exit_code = 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.exit_code = EXIT_CODES[signal.Signals(number)]


@contextlib.contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Notes SIGTERM, SIGHUP and SIGINT for the time of the block, instead of ending the process."""
    request = StopRequest()
    # Under nohup, SIGHUP is ignored, and stays so.
    numbers = [number for number in EXIT_CODES if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped_error(exit_code: int, where: str) -> StoppedError:
    reason = "interrupted" if exit_code == INTERRUPTED else "preempted"
    return StoppedError(f"{reason}; the state is saved at {where}, the same command goes on from there", exit_code)
