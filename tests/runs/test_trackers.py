"""What a tracker is sent, and that a run goes on without one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from margin_bench.runs import trackers
from margin_bench.runs.trackers import Tracker, make_tracker


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
    wandb_alone.setattr(trackers, "CONNECT_SECONDS", 1.0)
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
