"""How far a training has come, on a terminal and elsewhere."""

import io
import os
import pty
import subprocess
import sys
from typing import TextIO

import pytest

from margin_bench.training.progress import Progress


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


class Loss:
    """A loss whose reading costs, as on a GPU."""

    def __init__(self) -> None:
        self.num_read = 0

    def __float__(self) -> float:
        self.num_read += 1
        return 0.25


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_ends_nothing(closed: str) -> None:
    """The reader of one stream goes away before anything is written; the other tells that the end was reached."""
    code = """
import sys
from margin_bench.training.progress import Progress
from margin_bench.runtime.console import say
shut, opened = (sys.stdout, sys.stderr) if sys.argv[1] == "stdout" else (sys.stderr, sys.stdout)
progress = Progress(1, 2, shut)
for _ in range(2):
    progress.step(loss=1.0, learning_rate=0.1, num_images=1)
    progress.say("x" * 100_000)
    say("x" * 100_000, shut)
    print("x" * 100_000, file=shut)
progress.close()
say("done", opened)
"""
    command = [sys.executable, "-c", code, closed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        shut, opened = (process.stdout, process.stderr) if closed == "stdout" else (process.stderr, process.stdout)
        shut.close()
        assert opened.read() == "done\n"
        assert process.wait() == 0


def test_away_from_a_terminal_the_first_step_and_each_epoch_is_a_line(clock: Clock) -> None:
    """Two epochs of 2 steps in 4 s each: 2 x 100 images in 4 s; after the first epoch 4 s are left."""
    stream = io.StringIO()
    logged: list[str] = []
    progress = Progress(2, 2, stream, log=logged.append)
    for _ in range(2):
        progress.start_epoch()
        for loss in (1.0, 0.5):
            clock.now += 2
            progress.step(loss=loss, learning_rate=0.01, num_images=100)
    progress.close()
    first, *ends = stream.getvalue().splitlines()
    assert first == "epoch 1/2  loss 1.0000  learning rate 0.01  50 images/s  00:06 left"
    assert ends == [
        "epoch 1/2  loss 0.5000  learning rate 0.01  50 images/s  00:04 left",
        "epoch 2/2  loss 0.5000  learning rate 0.01  50 images/s  00:00 left",
    ]
    assert logged == ends


def test_away_from_a_terminal_a_long_epoch_has_a_line_each_minute(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(1, 20, stream)
    for _ in range(20):
        clock.now += 10
        progress.step(loss=1.0, learning_rate=0.01, num_images=100)
    left = [line.split()[-2] for line in stream.getvalue().splitlines()]
    assert left == ["03:10", "02:10", "01:10", "00:10", "00:00"]  # after steps 1, 7, 13, 19 and 20


def test_an_evaluation_slows_no_image_down_but_counts_in_the_time_left(clock: Clock) -> None:
    """An epoch of 1 step takes 1 s and its evaluation 9 s: after two of three epochs 11 s are gone, 5.5 s are left."""
    stream = io.StringIO()
    progress = Progress(3, 1, stream)
    for _ in range(2):
        progress.start_epoch()
        clock.now += 1
        progress.step(loss=1.0, learning_rate=0.01, num_images=64)
        clock.now += 9
    assert stream.getvalue().splitlines()[1] == "epoch 2/3  loss 1.0000  learning rate 0.01  64 images/s  00:05 left"


def test_a_resumed_run_counts_its_own_steps_alone(clock: Clock) -> None:
    """Of 10 steps 7 were done before; 1 takes 3 s, so the other 2 take 6 s."""
    stream = io.StringIO()
    progress = Progress(5, 2, stream, steps_done=7)
    clock.now += 3
    progress.step(loss=1.0, learning_rate=0.01, num_images=30)
    assert stream.getvalue() == "epoch 4/5  loss 1.0000  learning rate 0.01  10 images/s  00:06 left\n"


@pytest.mark.parametrize(("stream", "num_read"), [(None, 0), (io.StringIO(), 2), (Terminal(), 3)])
def test_the_loss_is_read_only_when_it_is_shown(stream: TextIO | None, num_read: int, clock: Clock) -> None:
    """100 steps in 0.5 s: a bar is drawn every 0.2 s and at the end, a line after the first and the last."""
    loss = Loss()
    progress = Progress(1, 100, stream)
    for _ in range(100):
        clock.now += 0.005
        progress.step(loss=loss, learning_rate=0.1, num_images=1)
    progress.say("done")
    progress.close()
    assert loss.num_read == num_read


def test_a_terminal_shows_a_bar() -> None:
    terminal = Terminal()
    progress = Progress(2, 2, terminal)
    for _ in range(2):
        progress.step(loss=0.5, learning_rate=0.01, num_images=100)
    progress.say("mAP@class 60.3")
    progress.close()
    assert "epoch 1/2  loss 0.5000" in terminal.getvalue()
    assert "| 2/4" in terminal.getvalue()
    assert "\rmAP@class 60.3\n" in terminal.getvalue()


def test_a_terminal_that_goes_away_ends_nothing() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        progress = Progress(1, 2, terminal)
        progress.step(loss=0.5, learning_rate=0.01, num_images=100)
        os.close(leader)
        progress.step(loss=0.5, learning_rate=0.01, num_images=100)
        progress.say("done")
        progress.close()
