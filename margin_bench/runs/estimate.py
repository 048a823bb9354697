"""Estimate how long the runs that tables lack will take, by finished ones or by a few steps of training."""

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import Any, SupportsFloat

from margin_bench.config.compose import composed
from margin_bench.config.schema import TrainConfig, typed
from margin_bench.config.sources import Sources
from margin_bench.errors import MarginBenchError
from margin_bench.records.traits import traits_of
from margin_bench.runs.parts import load_splits, trainer_of
from margin_bench.runs.train import runtime_errors
from margin_bench.runtime.console import say
from margin_bench.runtime.precision import resolve_precision
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World, local_device
from margin_bench.training.progress import Progress

NUM_STEPS = 3  # the first of them only warms up


@dataclass(frozen=True)
class PaceGroup:
    """Name runs whose epochs take about the same time, if as much of the training split is held out.

    Attributes:
        dataset, backbone: their names.
        traits: all that the configuration says of data set and backbone.
    """

    dataset: str
    backbone: str
    traits: frozenset[tuple[str, str]]


def group_of(config: dict[str, Any]) -> PaceGroup:
    """Return the group of a run, by its configuration or its identity: a `TrainConfig` as a dictionary."""
    sections = {name: config[name] for name in ("dataset", "backbone")}
    return PaceGroup(config["dataset"]["name"], config["backbone"]["name"], frozenset(traits_of(sections).items()))


@dataclass(frozen=True)
class MissingRun:
    """Hold what must be known of a run that tables lack.

    Attributes:
        words: its overrides.
        passes: how often it goes through the whole training split.
        group: runs that take as long for a pass.
    """

    run_id: str
    words: tuple[str, ...]
    passes: float
    group: PaceGroup


def estimate(runs: Sequence[MissingRun], finished: Iterable[dict[str, Any]], sources: Sources) -> str:
    """Say how long runs take one after another, and how that is known, a line each.

    Args:
        runs: that are missing.
        finished: the records of finished runs.
        sources: where the YAML files are.
    """
    first = {run.group: run for run in reversed(runs)}
    by_finished = {group: seconds for group, seconds in _of_finished(finished).items() if group in first}
    by_steps, unknown = _timed([run for group, run in first.items() if group not in by_finished], sources)
    seconds = by_finished | by_steps
    minutes = sum(run.passes * seconds[run.group] for run in runs if run.group in seconds) / 60
    lines = [f"about {minutes:.0f} min"] if seconds else []
    if by_finished:
        lines.append(f"judged by finished runs: {_in_words(by_finished)}")
    if by_steps:
        lines.append(f"judged by a few steps of training, without evaluations: {_in_words(by_steps)}")
    return "\n".join(lines + [f"unknown: {_in_words(groups)}: {why}" for why, groups in unknown.items()])


def _timed(runs: Iterable[MissingRun], sources: Sources) -> tuple[dict[PaceGroup, float], dict[str, list[PaceGroup]]]:
    """Time a few steps of each run.

    Returns:
        The seconds of a pass, by the group of its run; and the groups of runs that cannot be trained, by the cause.
    """
    seconds: dict[PaceGroup, float] = {}
    unknown: dict[str, list[PaceGroup]] = {}
    for run in runs:
        try:
            seconds[run.group] = _of_steps(run, sources)
        except MarginBenchError as error:
            unknown.setdefault(" ".join(str(error).split("\n")), []).append(run.group)
    return seconds, unknown


def num_passes(config: dict[str, Any]) -> float:
    """Return how often a run goes through the whole training split, of which it may hold out a part."""
    return float(config["epochs"] * (1 - config["data"]["holdout"]))


def _of_finished(records: Iterable[dict[str, Any]]) -> dict[PaceGroup, float]:
    """Return the mean time of a pass through the whole training split, with its evaluation, in seconds."""
    seconds: dict[PaceGroup, list[float]] = {}
    for record in records:
        config, durations = record["config"], record["durations"]
        spent = durations["train_seconds"] + durations["evaluate_seconds"]
        seconds.setdefault(group_of(config), []).append(spent / num_passes(config))
    return {group: fmean(values) for group, values in seconds.items()}


def _of_steps(run: MissingRun, sources: Sources) -> float:
    """Return the seconds of a pass through the training split, by a few steps in this process from random weights.

    Raises:
        MarginBenchError: the run cannot be trained; its data set is not there, say.
    """
    config: TrainConfig = typed("train", composed("train", run.words, sources))
    config.precision = resolve_precision(config.precision)
    config.backbone = dataclasses.replace(config.backbone, pretrained=False, weights=None)
    with runtime_errors():
        train_split, _ = load_splits(config.dataset, config.data.holdout)
        say(f"timing {NUM_STEPS} steps of {_in_words([run.group])}", sys.stderr)
        trainer = trainer_of(config, train_split, World(device=local_device()))
        steps_per_epoch, clock = trainer.steps_per_epoch, _Clock()
        trainer.steps_per_epoch = min(steps_per_epoch, NUM_STEPS)
        trainer.train_epoch(StopRequest(), clock)
    return steps_per_epoch * clock.seconds_per_step() / config.devices / (1 - config.data.holdout)


class _Clock(Progress):
    """Note when each step ends, and show nothing."""

    def __init__(self) -> None:
        super().__init__(num_epochs=1, num_steps=NUM_STEPS, stream=None)
        self.times = [perf_counter()]

    def step(self, *, loss: SupportsFloat, learning_rate: float, num_images: int) -> None:
        """Note the time."""
        self.times.append(perf_counter())

    def seconds_per_step(self) -> float:
        """Return the mean time of a step, without the first unless it is the only one."""
        first, *later = [after - before for before, after in zip(self.times, self.times[1:], strict=False)]
        return fmean(later or [first])


def _in_words(groups: Iterable[PaceGroup]) -> str:
    """Name groups, as `test_resnet on digits`."""
    return ", ".join(sorted({f"{group.backbone} on {group.dataset}" for group in groups}))
