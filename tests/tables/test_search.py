"""A learning rate for every cell."""

import pytest

from margin_bench.errors import ConfigError
from tests.helpers.measured_tables import measured
from tests.helpers.synthetic_runs import write_run

TRIALS = {0.1: "optim.head_lr=0.1 optim.backbone_lr=0.05", 0.2: "optim.head_lr=0.2 optim.backbone_lr=0.1"}
FOCAL = "dataset=digits loss=focal"


def searched(runs_dir, *words, seeds=(0,)):
    """The cell of the focal loss, at the rate that is chosen for it, and what is left out."""
    table = measured(runs_dir, "table7", "dataset=digits", "backbone=digits", *words, rates=tuple(TRIALS), seeds=seeds)
    (cell,) = [cell for cell in table.cells if cell.row.label == "focal"]
    return cell, table.left_out


def test_the_rate_of_a_cell_is_that_of_its_best_trial(tmp_path):
    def focal():
        cell, _ = searched(tmp_path, seeds=(0, 1))
        return cell

    assert [lacking[-1][-1] for lacking in focal().lacking((0, 1))] == [0, 0], "a trial for each rate, of seed 0"
    for rate, score in ((0.1, 40.0), (0.2, 45.0)):
        write_run(tmp_path, f"{FOCAL} {TRIALS[rate]} data.holdout=0.2", 0, (score, score))
    ((overrides, seeds),) = focal().lacking((0, 1))
    assert {"optim.head_lr=0.2", "optim.backbone_lr=0.1"} <= set(overrides)
    assert seeds == [0, 1]
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.2]}", 1, (46.0, 80.0))
    assert focal().values("map_class") == pytest.approx([46.0])


def test_a_rate_that_diverges_is_not_chosen_and_not_tried_again(tmp_path):
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]} data.holdout=0.2", scores=(1.0, 1.0))
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.2]} data.holdout=0.2", status="diverged", metrics=None)
    cell, _ = searched(tmp_path)
    ((overrides, _),) = cell.lacking((0,))
    assert "optim.head_lr=0.1" in overrides
    assert "data.holdout=0.2" not in overrides


def test_where_all_rates_diverge_nothing_is_left_to_try(tmp_path):
    for rate in TRIALS.values():
        write_run(tmp_path, f"{FOCAL} {rate} data.holdout=0.2", status="diverged", metrics=None)
    cell, _ = searched(tmp_path)
    assert cell.has_no_rate
    assert cell.lacking((0,)) == []


def test_trials_of_different_precision_are_not_compared(tmp_path):
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]} data.holdout=0.2", precision="bf16")
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.2]} data.holdout=0.2", precision="fp32")
    cell, _ = searched(tmp_path)
    assert [trial.record is None for trial in cell.trials] == [False, True]


def test_trials_on_different_data_are_not_compared(tmp_path):
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]} data.holdout=0.2")
    facts = {"fingerprints": {"train": "c" * 64, "test": "d" * 64}}
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.2]} data.holdout=0.2", dataset=facts)
    cell, left_out = searched(tmp_path)
    assert [trial.record is None for trial in cell.trials].count(True) == 1
    assert [line.endswith("is on other data: its fingerprint differs") for line in left_out] == [True]


@pytest.mark.parametrize("word", ["optim.head_lr=0.3", "optim.backbone_lr=0.1", "data.holdout=0.2"])
def test_what_a_search_sets_is_not_to_be_given(word, tmp_path):
    with pytest.raises(ConfigError, match=f"leave out {word}"):
        searched(tmp_path, word)


def test_a_search_needs_a_head_that_learns(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "fixed_head.yaml").write_text(
        "# @package _global_\noptim: {head_lr: 0}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"set optim\.head_lr above 0"):
        measured(tmp_path, "table3", "dataset=digits", "experiment=fixed_head", own=tmp_path, rates=(0.1, 0.2))


def test_runs_at_a_rate_that_trials_of_another_precision_chose_do_not_count(tmp_path):
    for rate in TRIALS.values():
        write_run(tmp_path, f"{FOCAL} {rate} data.holdout=0.2", precision="bf16")
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]}", precision="fp32")
    cell, _ = searched(tmp_path)
    assert cell.records == ()
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]}", precision="bf16")
    cell, _ = searched(tmp_path)
    assert len(cell.records) == 1


def test_the_precision_in_which_most_trials_ended_is_taken_those_that_diverged_among_them(tmp_path):
    for rate in TRIALS.values():
        write_run(tmp_path, f"{FOCAL} {rate} data.holdout=0.2", status="diverged", metrics=None, precision="fp32")
    write_run(tmp_path, f"{FOCAL} {TRIALS[0.1]} data.holdout=0.2", precision="bf16")
    cell, _ = searched(tmp_path)
    assert cell.has_no_rate
