"""Records in the cells of tables."""

import pytest
from synthetic_runs import identities, write_run

from margin_bench.tables.measure import Request, measure
from margin_bench.tables.records import load_records
from margin_bench.tables.spec import config_dirs, read_table

DIGITS = "dataset=digits loss=twoway"


def measured(runs_dir, name, *words, **request):
    table = read_table(name, config_dirs(None))
    return measure(table, Request(words=words, **request), load_records(runs_dir), identities())


def scores(table, measure_name="map_class"):
    """The scores of every filled cell, by the label of its column."""
    return {cell.column.label: cell.values(measure_name) for cell in table.cells if cell.records}


def test_a_cell_holds_its_runs_over_seeds(tmp_path):
    for seed in (2, 0, 1):
        write_run(tmp_path, f"{DIGITS} loss.way=class", seed, (50.0 + seed, 70.0))
    assert scores(measured(tmp_path, "table3", "dataset=digits")) == {"class": pytest.approx([50, 51, 52])}


def test_only_the_seeds_that_are_asked_for_count(tmp_path):
    for seed in range(4):
        write_run(tmp_path, DIGITS, seed, (50.0 + seed, 70.0))
    table = measured(tmp_path, "table3", "dataset=digits", seeds=(0, 1))
    assert scores(table) == {"both": pytest.approx([50, 51])}
    assert table.left_out == []


def test_a_run_that_several_tables_share_is_one(tmp_path):
    write_run(tmp_path, DIGITS)
    for name, column in (("table1", "1"), ("table3", "both"), ("table5", "128")):
        table = measured(tmp_path, name, "dataset=digits")
        assert list(scores(table)) == [column]
    assert len(measured(tmp_path, "table7", "dataset=digits", "backbone=digits").records) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_differs_in_what_the_table_does_not_vary_is_named(tmp_path):
    write_run(tmp_path, DIGITS)
    other = write_run(tmp_path, f"{DIGITS} epochs=3 optim.head_lr=0.5")
    table = measured(tmp_path, "table3", "dataset=digits")
    assert scores(table) == {"both": pytest.approx([50])}
    assert table.left_out == [f"{other.name} differs in epochs, optim.head_lr"]


def test_four_and_four_point_zero_are_near_but_two_runs(tmp_path):
    other = write_run(tmp_path, f"{DIGITS} loss.positive_temperature=4")
    table = measured(tmp_path, "table1", "dataset=digits")
    assert table.left_out == [f"{other.name} differs in loss.positive_temperature"]


def test_many_runs_that_are_left_out_for_one_cause_are_told_in_one_line(tmp_path):
    for seed in range(5):
        write_run(tmp_path, f"{DIGITS} epochs=3", seed)
    (line,) = measured(tmp_path, "table3", "dataset=digits").left_out
    assert line.endswith(" and 2 more: differs in epochs")


@pytest.mark.parametrize("status", ["failed", "running", "stopped"])
def test_a_run_that_is_not_finished_is_named(status, tmp_path):
    run = write_run(tmp_path, DIGITS, status=status)
    table = measured(tmp_path, "table3", "dataset=digits")
    assert scores(table) == {}
    assert table.left_out == [f"{run.name} is {status}, not finished"]


def test_precisions_are_not_mixed_and_that_of_most_runs_is_shown(tmp_path):
    *_, other = [
        write_run(tmp_path, DIGITS, seed, precision=name) for seed, name in enumerate(("fp32", "fp32", "bf16"))
    ]
    table = measured(tmp_path, "table3", "dataset=digits")
    assert [record["seed"] for record in table.records] == [0, 1]
    assert table.left_out == [f"{other.name} differs in precision"]
    asked_for = measured(tmp_path, "table3", "dataset=digits", precision="bf16")
    assert [record["seed"] for record in asked_for.records] == [2]


def test_published_numbers_are_there_only_in_the_papers_own_setting(tmp_path):
    def published(*words):
        cells = measured(tmp_path, "table3", *words).cells
        return cells[0].published.get("map_class")

    assert published() == 74.11
    assert published("dataset=coco", "backbone=resnet50", "epochs=40", "workers=8", "dataset.root=/data") == 74.11
    for word in ("dataset=digits", "epochs=2", "backbone=densenet169", "data.holdout=0.1", "bucket_size=64"):
        assert published(word) is None, word


def test_facts_come_from_runs_on_the_whole_data_set(tmp_path):
    write_run(tmp_path, f"{DIGITS} data.holdout=0.2", dataset={"num_train": 1})
    write_run(tmp_path, f"{DIGITS} dataset.num_train=100", dataset={"num_train": 2})
    assert measured(tmp_path, "table6", "dataset=digits").records == []
    write_run(tmp_path, f"{DIGITS} epochs=1")
    (cell,) = measured(tmp_path, "table6", "dataset=digits").cells
    facts = ("num_classes", "num_train", "num_test", "labels_per_sample")
    assert [cell.values(name) for name in facts] == [[80], [8000], [4000], [2.9021]]


def test_the_rate_of_a_cell_is_that_of_its_best_trial(tmp_path):
    rates = {"optim.head_lr=0.1 optim.backbone_lr=0.05": 40.0, "optim.head_lr=0.2 optim.backbone_lr=0.1": 45.0}
    words = "dataset=digits loss=focal"
    request = {"words": ("dataset=digits", "backbone=digits"), "rates": (0.1, 0.2), "seeds": (0, 1)}

    def focal():
        table = measure(
            read_table("table7", config_dirs(None)), Request(**request), load_records(tmp_path), identities()
        )
        (cell,) = [cell for cell in table.cells if cell.row.label == "focal"]
        return cell

    assert [lacking[-1][-1] for lacking in focal().lacking((0, 1))] == [0, 0], "a trial for each rate, of seed 0"
    for rate, score in rates.items():
        write_run(tmp_path, f"{words} {rate} data.holdout=0.2", 0, (score, score))
    ((overrides, seeds),) = focal().lacking((0, 1))
    assert {"optim.head_lr=0.2", "optim.backbone_lr=0.1"} <= set(overrides)
    assert seeds == [0, 1]
    write_run(tmp_path, f"{words} optim.head_lr=0.2 optim.backbone_lr=0.1", 1, (46.0, 80.0))
    assert focal().values("map_class") == pytest.approx([46.0])
