"""Choose a learning rate for every cell, on a part of the training split, with the same budget for all of them."""

from collections.abc import Sequence
from dataclasses import replace

from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.records.record import Record
from margin_bench.tables.cells import HOLDOUT, TRIAL_SEED, Cell, Trial, best
from margin_bench.tables.identities import Identities
from margin_bench.tables.same_data import in_lines, strangers_among
from margin_bench.tables.usable_records import Records

SEARCHED = ("data.holdout", "optim.head_lr", "optim.backbone_lr")


def at_best_rates(
    cells: Sequence[Cell],
    rates: Sequence[float],
    precisions: Sequence[str],
    records: Records,
    identities: Identities,
) -> tuple[list[Cell], list[str], list[str]]:
    """Give every cell its trials, one for each rate, all of one precision and on the same data, and the best rate.

    A cell is without runs of its own as long as its trials choose no rate. Without rates nothing changes.

    Args:
        precisions: those that the runs can have.

    Returns:
        The cells, the precisions that are left, and a line for each trial that is left out as it is on other data.

    Raises:
        ConfigError: overrides do not compose, set what the search sets, or leave the head without a rate.
    """
    if not rates:
        return list(cells), list(precisions), []
    planned = [replace(cell, trials=_planned(cell, rates, identities)) for cell in cells]
    found = {precision: _with_records(planned, precision, records.ended) for precision in precisions}
    precision = max(found, key=lambda each: _num_ended(found[each]))
    kept, left_out = _on_same_data(found[precision])
    return [_at_best_rate(cell, identities) for cell in kept], [precision], left_out


def _planned(cell: Cell, rates: Sequence[float], identities: Identities) -> tuple[Trial, ...]:
    if own := [word for word in cell.words if key_of(word) in SEARCHED]:
        raise ConfigError(f"search.lr sets rates and the held-out part itself: leave out {' '.join(own)}")
    assert cell.identity is not None, "rates are searched for in cells that are composed"
    optim = cell.identity.content["optim"]
    if not optim["head_lr"]:
        raise ConfigError("search.lr keeps the rest of the net in proportion to its head: set optim.head_lr above 0")
    return tuple(_trial(cell, rate, rate * optim["backbone_lr"] / optim["head_lr"], identities) for rate in rates)


def _trial(cell: Cell, head_lr: float, backbone_lr: float, identities: Identities) -> Trial:
    rate_words = (f"optim.head_lr={head_lr:.6g}", f"optim.backbone_lr={backbone_lr:.6g}")
    words = (*cell.words, *rate_words, f"data.holdout={HOLDOUT}")
    return Trial(head_lr, rate_words, words, identities.of(words))


def _with_records(cells: Sequence[Cell], precision: str, ended: dict[str, Record]) -> list[Cell]:
    """Give the trials their records of one precision."""

    def of_trial(trial: Trial) -> Trial:
        return replace(trial, record=ended.get(trial.identity.run_id(TRIAL_SEED, precision)))

    return [replace(cell, trials=tuple(map(of_trial, cell.trials))) for cell in cells]


def _num_ended(cells: Sequence[Cell]) -> int:
    return sum(trial.record is not None for cell in cells for trial in cell.trials)


def _on_same_data(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """Take the records out of trials that are on other data than most."""
    trials = [trial for cell in cells for trial in cell.trials]
    strangers = strangers_among(
        [(trial.identity.content, trial.record) for trial in trials if trial.record and not trial.has_diverged]
    )

    def of_trial(trial: Trial) -> Trial:
        is_stranger = trial.record is not None and trial.record["run_id"] in strangers
        return replace(trial, record=None) if is_stranger else trial

    return [replace(cell, trials=tuple(map(of_trial, cell.trials))) for cell in cells], in_lines(strangers)


def _at_best_rate(cell: Cell, identities: Identities) -> Cell:
    chosen = best(cell.trials)
    if chosen is None:
        return replace(cell, identity=None, published={})
    words = (*cell.words, *chosen.rate_words)
    return replace(cell, words=words, identity=identities.of(words), published={})
