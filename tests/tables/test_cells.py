"""The cells of a table: what they lack, which of their trials is best, what they say."""

import math

import pytest

from margin_bench.config.sources import Sources
from margin_bench.tables.cells import Cell, Measured, Request, Trial, best, cells_of
from margin_bench.tables.identities import Identity
from margin_bench.tables.spec import read_table

TABLE = read_table("table3", Sources())


def trial(rate, score=None, status="finished"):
    """A trial with a record, or without one."""
    words = (f"optim.head_lr={rate}",)
    record = {"run_id": f"run{rate}", "seed": 0, "status": status, "metrics": {"map_class": score, "map_sample": score}}
    there = score is not None or status == "diverged"
    return Trial(rate, words, words, Identity({}), record if there else None)


def cell(seeds=(), trials=()):
    """The first cell of Table 3 with records of some seeds."""
    records = tuple(
        {"run_id": f"run{seed}", "seed": seed, "metrics": {"map_class": 0.25}, "dataset": {"class_names": ["a", "b"]}}
        for seed in seeds
    )
    first = cells_of(TABLE)[0]
    return Cell(first.block, first.row, first.column, ("epochs=1",), {}, trials=trials, records=records)


def test_a_table_has_a_cell_for_each_row_and_column_with_what_is_published():
    cells = cells_of(TABLE)
    assert [each.words for each in cells] == [
        block.words_of(row, column) for block in TABLE.blocks for row, column in block.pairs()
    ]
    assert cells[0].published == {"map_class": 74.11, "map_sample": 86.66}
    assert not any(each.records or each.trials or each.identity for each in cells)


def test_the_best_trial_has_the_best_score_and_of_several_the_lowest_rate():
    assert best([trial(0.2, 0.5), trial(0.1, 0.5), trial(0.05, 0.4)]).rate == 0.1


def test_a_trial_that_diverged_is_worse_than_any_other():
    diverged = trial(0.1, status="diverged")
    assert diverged.score == -math.inf
    assert best([diverged, trial(0.2, 0.0)]).rate == 0.2


@pytest.mark.parametrize("trials", [[trial(0.1, 0.5), trial(0.2)], [trial(0.1, status="diverged")], [trial(0.1)]])
def test_no_trial_is_best_as_long_as_one_is_missing_or_where_all_diverged(trials):
    assert best(trials) is None


def test_a_cell_lacks_the_seeds_of_which_it_has_no_run():
    assert cell(seeds=(0, 2)).lacking((0, 1, 2, 3)) == [(("epochs=1",), [1, 3])]
    assert cell(seeds=(0, 1)).lacking((0, 1)) == []


def test_a_cell_without_a_rate_lacks_its_trials():
    lacking = cell(trials=(trial(0.1, 0.5), trial(0.2))).lacking((0, 1))
    assert lacking == [(("optim.head_lr=0.2",), [0])]


def test_a_cell_says_scores_in_percent_and_facts_once():
    assert cell(seeds=(0, 1)).values("map_class") == [25.0, 25.0]
    assert cell(seeds=(0, 1)).values("num_classes") == [2]
    assert cell().values("num_classes") == []


def test_the_seeds_that_every_cell_should_have_are_those_asked_for_or_those_of_some_cell():
    cells = [cell(seeds=(0, 3)), cell(seeds=(1,))]
    assert Measured(TABLE, Request(), cells, []).wanted_seeds == (0, 1, 3)
    assert Measured(TABLE, Request(seeds=(0, 1)), cells, []).wanted_seeds == (0, 1)
    assert Measured(TABLE, Request(), [cell()], []).wanted_seeds == (0,)


def test_a_record_that_several_cells_share_counts_once():
    measured = Measured(TABLE, Request(), [cell(seeds=(1,)), cell(seeds=(0, 1))], [])
    assert [record["run_id"] for record in measured.records] == ["run0", "run1"]
