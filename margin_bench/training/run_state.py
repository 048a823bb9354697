"""Hold the progress of a run, and tell whether what a checkpoint says of it can be so."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from margin_bench.training.diagnostics import STATISTICS


@dataclass
class RunState:
    """The progress of a run: all that a checkpoint holds besides the states of model, optimiser and gradient scaler.

    Attributes:
        epoch: epochs that are finished and, where due, evaluated.
        step: steps done in the epoch after those.
        statistics: STATISTICS summed over these steps and all processes.
        train_seconds, evaluate_seconds: spent so far, over all starts of the run.
        history: one entry per finished epoch.
    """

    epoch: int = 0
    step: int = 0
    statistics: list[float] = field(default_factory=lambda: [0.0] * len(STATISTICS))
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def finish_epoch(self, entry: dict[str, Any]) -> None:
        """Add the epoch to the history and begin the next one."""
        self.history.append(entry)
        self.epoch, self.step, self.statistics = self.epoch + 1, 0, [0.0] * len(STATISTICS)


def run_state_of(content: Any, epochs: int, steps_per_epoch: int) -> RunState:
    """Return the progress that a checkpoint holds.

    Args:
        content: what `dataclasses.asdict` made of it.
        epochs, steps_per_epoch: of the run.

    Raises:
        ValueError: it cannot be that of this run; says why.

    Examples:
        >>> run_state_of({"epoch": 10**9}, epochs=4, steps_per_epoch=8)
        Traceback (most recent call last):
            ...
        ValueError: the progress lacks step
    """
    if not isinstance(content, dict):
        raise ValueError("there is no progress")
    for each in fields(RunState):
        if each.name not in content:
            raise ValueError(f"the progress lacks {each.name}")
    if unknown := content.keys() - {each.name for each in fields(RunState)}:
        raise ValueError(f"the progress has {sorted(map(str, unknown))[0]}, which is unknown")
    state = RunState(**content)
    _check_place(state, epochs, steps_per_epoch)
    _check_numbers(state)
    return state


def _check_place(state: RunState, epochs: int, steps_per_epoch: int) -> None:
    """Refuse a place that the run never comes to."""
    if type(state.epoch) is not int or not 0 <= state.epoch <= epochs:
        raise ValueError(f"epoch is {state.epoch!r}, of {epochs}")
    last = steps_per_epoch if state.epoch < epochs else 0
    if type(state.step) is not int or not 0 <= state.step <= last:
        raise ValueError(f"step is {state.step!r}, of {last} in epoch {state.epoch + 1}")
    is_list = isinstance(state.history, list) and all(isinstance(entry, dict) for entry in state.history)
    if not is_list or [entry.get("epoch") for entry in state.history] != list(range(1, state.epoch + 1)):
        raise ValueError(f"the history is not that of {state.epoch} epochs")


def _check_numbers(state: RunState) -> None:
    """Refuse what is no finite number where one must be; sums of another version where they are still zero are none."""
    if not isinstance(state.statistics, list) or not all(map(_is_finite, state.statistics)):
        raise ValueError("the statistics are no numbers")
    if len(state.statistics) != len(STATISTICS):
        if any(state.statistics):
            raise ValueError("the statistics are those of another version of margin-bench")
        state.statistics = [0.0] * len(STATISTICS)
    for seconds in (state.train_seconds, state.evaluate_seconds):
        if not _is_finite(seconds) or seconds < 0:
            raise ValueError(f"the time spent is {seconds!r}")
    for entry in state.history:
        if not all(map(_is_finite, entry.values())):
            raise ValueError("the history has what is no number")


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
