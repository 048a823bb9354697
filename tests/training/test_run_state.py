"""What a checkpoint may say of the progress of its run."""

import dataclasses
from typing import Any

import pytest

from margin_bench.training.diagnostics import STATISTICS
from margin_bench.training.run_state import RunState, run_state_of

ENTRY = {"epoch": 1, "loss": 0.5}


def content(**changes: Any) -> dict[str, Any]:
    state = RunState(epoch=1, step=3, train_seconds=2.5, history=[ENTRY])
    return dataclasses.asdict(state) | changes


def checked(**changes: Any) -> RunState:
    return run_state_of(content(**changes), epochs=4, steps_per_epoch=8)


def test_a_state_comes_back_as_it_was() -> None:
    assert dataclasses.asdict(checked()) == content()
    assert checked(epoch=0, step=8, history=[]).step == 8
    assert checked(epoch=4, step=0, history=[{"epoch": epoch} for epoch in (1, 2, 3, 4)]).epoch == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": 10**9}, "epoch is 1000000000, of 4"),
        ({"epoch": 5, "history": [{"epoch": e} for e in range(1, 6)]}, "epoch is 5"),
        ({"epoch": -1}, "epoch is -1"),
        ({"epoch": 1.0}, "epoch is 1.0"),
        ({"epoch": True}, "epoch is True"),
        ({"step": 999}, "step is 999, of 8 in epoch 2"),
        ({"step": -1}, "step is -1"),
        ({"epoch": 4, "step": 1, "history": [{"epoch": e} for e in range(1, 5)]}, "step is 1, of 0"),
        ({"history": []}, "the history is not that of 1 epochs"),
        ({"history": [{"epoch": 2}]}, "the history is not"),
        ({"history": [3]}, "the history is not"),
        ({"history": {}}, "the history is not"),
        ({"history": [{"epoch": 1, "loss": "x"}]}, "no number"),
        ({"history": [{"epoch": 1, "loss": float("nan")}]}, "no number"),
        ({"statistics": [0.5]}, "another version"),
        ({"statistics": ["a"] * len(STATISTICS)}, "no numbers"),
        ({"statistics": None}, "no numbers"),
        ({"train_seconds": -1.0}, "the time spent is -1.0"),
        ({"evaluate_seconds": float("inf")}, "the time spent is inf"),
        ({"more": 1}, "the progress has more"),
    ],
)
def test_what_cannot_be_so_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(**changes)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RunState)])
def test_what_is_missing_is_named(name: str) -> None:
    rest = {key: value for key, value in content().items() if key != name}
    with pytest.raises(ValueError, match=f"the progress lacks {name}"):
        run_state_of(rest, epochs=4, steps_per_epoch=8)


@pytest.mark.parametrize("other", [None, [], 3])
def test_what_is_no_progress_is_refused(other: Any) -> None:
    with pytest.raises(ValueError, match="there is no progress"):
        run_state_of(other, epochs=4, steps_per_epoch=8)


def test_sums_of_another_version_that_are_still_zero_are_none() -> None:
    assert checked(step=0, statistics=[0.0] * 3).statistics == [0.0] * len(STATISTICS)
