"""A learning rate for every cell, chosen on a part of the training split with the same budget for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from margin_bench.tables.identities import Identities
from margin_bench.tables.records import Record, Records
from margin_bench.tables.spec import SCORES

HOLDOUT = 0.2  # share of the training split that is held out and scored
SEED = 0


@dataclass(frozen=True)
class Trial:
    """A run of a cell at one rate, scored on the held-out part.

    Attributes:
        rate: of the head; the rest of the net keeps its proportion to it.
        rate_words: the overrides that set it.
        words: all overrides of the run.
        record: of the run, if it is there.
    """

    rate: float
    rate_words: tuple[str, ...]
    words: tuple[str, ...]
    record: Record | None

    @property
    def score(self) -> float:
        """The mean of mAP@class and mAP@sample."""
        assert self.record is not None
        return fmean(self.record["metrics"][name] for name in SCORES)


def trials(
    words: tuple[str, ...],
    rates: Sequence[float],
    precisions: Sequence[str],
    records: Records,
    identities: Identities,
) -> tuple[Trial, ...]:
    """The trials of a cell, one for each rate.

    Raises:
        ConfigError: the overrides do not compose.
    """
    optim = identities.of(words).content["optim"]
    found = []
    for rate in rates:
        backbone_lr = rate * optim["backbone_lr"] / optim["head_lr"]
        rate_words = (f"optim.head_lr={rate:.6g}", f"optim.backbone_lr={backbone_lr:.6g}")
        all_words = (*words, *rate_words, f"data.holdout={HOLDOUT}")
        identity = identities.of(all_words)
        run_ids = [identity.run_id(SEED, precision) for precision in precisions]
        record = next((records.usable[run_id] for run_id in run_ids if run_id in records.usable), None)
        found.append(Trial(rate, rate_words, all_words, record))
    return tuple(found)


def best(of_a_cell: Sequence[Trial]) -> Trial | None:
    """The trial with the best score, of several the one with the lowest rate; None as long as one is missing."""
    if not of_a_cell or any(trial.record is None for trial in of_a_cell):
        return None
    return max(of_a_cell, key=lambda trial: (trial.score, -trial.rate))
