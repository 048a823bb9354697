"""A learning rate for every cell, chosen on a part of the training split with the same budget for all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.records.record import DIVERGED, Record
from margin_bench.tables.identities import Identities, Identity
from margin_bench.tables.same_data import ON_OTHER_DATA, on_other_data
from margin_bench.tables.spec import SCORES
from margin_bench.tables.usable_records import Records

HOLDOUT = 0.2  # share of the training split that is held out and scored
SEED = 0
SEARCHED = ("data.holdout", "optim.head_lr", "optim.backbone_lr")


@dataclass(frozen=True)
class Trial:
    """A run of a cell at one rate, scored on the held-out part.

    Attributes:
        rate: of the head; the rest of the net keeps its proportion to it.
        rate_words: the overrides that set it.
        words: all overrides of the run.
        record: of the run, if it is there, finished or diverged.
    """

    rate: float
    rate_words: tuple[str, ...]
    words: tuple[str, ...]
    identity: Identity
    record: Record | None = None

    @property
    def has_diverged(self) -> bool:
        return self.record is not None and self.record["status"] == DIVERGED

    @property
    def score(self) -> float:
        """The mean of mAP@class and mAP@sample; of a run that diverged, less than any."""
        assert self.record is not None
        return -math.inf if self.has_diverged else fmean(self.record["metrics"][name] for name in SCORES)


@dataclass(frozen=True)
class Searched:
    """The trials of all cells, in the order of the cells."""

    trials: list[tuple[Trial, ...]]
    precision: str


def search(
    cells: Sequence[tuple[str, ...]],
    rates: Sequence[float],
    precisions: Sequence[str],
    records: Records,
    identities: Identities,
) -> tuple[Searched, list[str]]:
    """The trials of every cell, one for each rate, all of one precision and on the same data.

    Args:
        cells: the overrides of each.
        precisions: those that the runs can have.

    Returns:
        The trials, and a line for each record that would be of one, were it not on other data.

    Raises:
        ConfigError: overrides do not compose, set what the search sets, or leave the head without a rate.
    """
    planned = [_planned(words, rates, identities) for words in cells]
    ended = records.ended
    by_precision = [
        Searched([_with_records(each, precision, ended) for each in planned], precision) for precision in precisions
    ]
    found = max(by_precision, key=lambda searched: _num_ended(searched.trials))
    strangers = on_other_data(_scored(found.trials))
    kept = [_without(of_a_cell, strangers) for of_a_cell in found.trials]
    return replace(found, trials=kept), [f"{run_id} {ON_OTHER_DATA}" for run_id in strangers]


def best(of_a_cell: Sequence[Trial]) -> Trial | None:
    """The trial with the best score, of several the one with the lowest rate.

    None as long as one is missing, or if all have diverged.
    """
    if any(trial.record is None for trial in of_a_cell) or all(trial.has_diverged for trial in of_a_cell):
        return None
    return max(of_a_cell, key=lambda trial: (trial.score, -trial.rate))


def _planned(words: tuple[str, ...], rates: Sequence[float], identities: Identities) -> tuple[Trial, ...]:
    if own := [word for word in words if key_of(word) in SEARCHED]:
        raise ConfigError(f"search.lr sets rates and the held-out part itself: leave out {' '.join(own)}")
    optim = identities.of(words).content["optim"]
    if not optim["head_lr"]:
        raise ConfigError("search.lr keeps the rest of the net in proportion to its head: set optim.head_lr above 0")
    found = []
    for rate in rates:
        backbone_lr = rate * optim["backbone_lr"] / optim["head_lr"]
        rate_words = (f"optim.head_lr={rate:.6g}", f"optim.backbone_lr={backbone_lr:.6g}")
        all_words = (*words, *rate_words, f"data.holdout={HOLDOUT}")
        found.append(Trial(rate, rate_words, all_words, identities.of(all_words)))
    return tuple(found)


def _with_records(of_a_cell: Sequence[Trial], precision: str, ended: dict[str, Record]) -> tuple[Trial, ...]:
    return tuple(replace(trial, record=ended.get(trial.identity.run_id(SEED, precision))) for trial in of_a_cell)


def _num_ended(found: Sequence[Sequence[Trial]]) -> int:
    return sum(trial.record is not None for of_a_cell in found for trial in of_a_cell)


def _scored(found: Sequence[Sequence[Trial]]) -> list[tuple[Identity, Record]]:
    """The records with a score, each with the identity of its trial."""
    trials = [trial for of_a_cell in found for trial in of_a_cell]
    return [(trial.identity, trial.record) for trial in trials if trial.record and not trial.has_diverged]


def _without(of_a_cell: Sequence[Trial], strangers: Sequence[str]) -> tuple[Trial, ...]:
    return tuple(
        replace(trial, record=None) if trial.record and trial.record["run_id"] in strangers else trial
        for trial in of_a_cell
    )
