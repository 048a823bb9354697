import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from margin_bench.records.history import write_history, write_log
from margin_bench.runs import trackers as tracking
from margin_bench.runs.trackers import Tracker, make_tracker
from margin_bench.runtime.console import say
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


def test_the_history_is_one_line_per_entry(tmp_path: Path) -> None:
    history = [{"epoch": 1, "map_class": 0.5}, {"epoch": 2, "map_class": 0.6}]
    write_history(tmp_path, history)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history


def test_a_history_written_again_has_no_line_twice(tmp_path: Path) -> None:
    write_history(tmp_path, [{"epoch": 1}, {"epoch": 2}])
    write_history(tmp_path, [{"epoch": 1}])
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch": 1}\n'


def test_a_history_with_a_number_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_history(tmp_path, [{"loss": float("nan")}])


def test_a_line_is_said_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr().out == "hello\n"


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


def test_away_from_a_terminal_an_epoch_is_one_line(clock: Clock) -> None:
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
    assert stream.getvalue().splitlines() == [
        "epoch 1/2  loss 0.5000  learning rate 0.01  50 images/s  00:04 left",
        "epoch 2/2  loss 0.5000  learning rate 0.01  50 images/s  00:00 left",
    ]
    assert logged == stream.getvalue().splitlines()


def test_a_log_keeps_what_earlier_starts_said_and_is_no_reason_to_fail(tmp_path: Path) -> None:
    write_log(tmp_path, "first start")
    write_log(tmp_path, "second start")
    assert [line.partition(" ")[2] for line in (tmp_path / "log.txt").read_text().splitlines()] == [
        "first start",
        "second start",
    ]
    write_log(tmp_path / "missing", "nowhere to write it")


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


@pytest.mark.parametrize(("stream", "num_read"), [(None, 0), (io.StringIO(), 1), (Terminal(), 3)])
def test_the_loss_is_read_only_when_it_is_shown(stream: TextIO | None, num_read: int, clock: Clock) -> None:
    """100 steps in 0.5 s: a bar is drawn every 0.2 s and at the end, a line at the end alone."""
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


def own_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "margin_bench.runs.trackers"]


class Failing:
    """A backend that fails at every call."""

    def __init__(self) -> None:
        self.num_calls = 0

    def log(self, values: dict[str, float], step: int) -> None:
        self.num_calls += 1
        raise RuntimeError("the server is on fire")

    def close(self) -> None:
        self.num_calls += 1
        raise RuntimeError("the server is on fire")


def test_a_tracker_that_fails_warns_once_and_is_off(caplog: pytest.LogCaptureFixture) -> None:
    backend = Failing()
    tracker = Tracker(lambda: backend)
    for step in range(3):
        tracker.log({"map_class": 0.5}, step)
    tracker.close()
    assert backend.num_calls == 1
    assert own_warnings(caplog) == ["Tracking failed and is off from here on: the server is on fire"]


def test_a_tracker_that_does_not_start_or_close_warns(caplog: pytest.LogCaptureFixture) -> None:
    def start() -> Failing:
        raise OSError("no such server")

    tracker = Tracker(start)
    tracker.log({"map_class": 0.5}, 1)
    tracker.close()
    Tracker(Failing).close()
    assert own_warnings(caplog) == [
        "Tracking failed and is off from here on: no such server",
        "Tracking failed and is off from here on: the server is on fire",
    ]


def test_no_tracker_does_nothing(tmp_path: Path) -> None:
    tracker = make_tracker("none", tmp_path, "run", {})
    tracker.log({"map_class": 0.5}, 1)
    tracker.close()
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_keeps_the_values_of_a_resumed_run(tmp_path: Path) -> None:
    for step in (1, 2):
        tracker = make_tracker("tensorboard", tmp_path, "run", {})
        tracker.log({"map_class": step / 4, "map_sample": 0.5}, step)
        tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("map_class")] == [(1, 0.25), (2, 0.5)]
    assert [event.step for event in events.Scalars("map_sample")] == [1, 2]


@pytest.fixture
def wandb_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """W&B without the settings and keys of who runs the tests."""
    for name in os.environ:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


def wandb_files(run_dir: Path) -> list[bytes]:
    """What W&B wrote. Its service may still be writing when a run is finished, but not when it is torn down."""
    wandb.teardown()
    return [path.read_bytes() for path in sorted(run_dir.glob("wandb/offline-run-*/*.wandb"))]


def test_wandb_tracks_offline_and_a_resumed_run_under_the_same_id(
    tmp_path: Path, wandb_alone: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wandb_alone.setenv("WANDB_MODE", "offline")
    for step in (1, 2):
        tracker = make_tracker("wandb", tmp_path, "digits-0123abcd", {"loss": {"name": "twoway"}})
        tracker.log({"map_class": 0.625}, step)
        tracker.close()
    assert own_warnings(caplog) == []
    files = wandb_files(tmp_path)
    assert len(files) == 2
    for content in files:
        assert b"digits-0123abcd" in content
        assert b"twoway" in content
        assert b"map_class" in content
        assert b"0.625" in content


@pytest.mark.parametrize("key", ["a" * 40, None], ids=["unreachable", "no key"])
def test_wandb_that_does_not_start_tracks_offline(
    key: str | None, tmp_path: Path, wandb_alone: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wandb_alone.setattr(tracking, "CONNECT_SECONDS", 1.0)
    wandb_alone.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    if key:
        wandb_alone.setenv("WANDB_API_KEY", key)
    tracker = make_tracker("wandb", tmp_path, "digits-0123abcd", {})
    tracker.log({"map_class": 0.625}, 1)
    tracker.close()
    assert len(own_warnings(caplog)) == 1
    assert own_warnings(caplog)[0].startswith("W&B does not start, so the run is tracked offline: ")
    files = wandb_files(tmp_path)
    assert len(files) == 1
    assert b"0.625" in files[0]
