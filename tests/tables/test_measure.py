"""Records in the cells of tables."""

import pytest

from margin_bench.errors import ConfigError
from tests.helpers.measured_tables import measured, write_table
from tests.helpers.synthetic_runs import write_run

DIGITS = "dataset=digits loss=twoway"


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


def test_four_and_four_point_zero_are_one_run(tmp_path):
    write_run(tmp_path, f"{DIGITS} loss.positive_temperature=4")
    assert scores(measured(tmp_path, "table1", "dataset=digits")) == {"1": [50.0]}


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
    assert published("precision=bf16") == 74.11
    assert published("transforms=paper", "data.quirks.fixed_buckets=true") == 74.11
    choices = ("dataset=digits", "backbone=densenet169", "transforms=scenes")
    for word in (*choices, "epochs=2", "data.holdout=0.1", "bucket_size=64"):
        assert published(word) is None, word


def test_facts_come_from_runs_on_the_whole_data_set(tmp_path):
    write_run(tmp_path, f"{DIGITS} data.holdout=0.2", dataset={"num_train": 1})
    write_run(tmp_path, f"{DIGITS} dataset.num_train=100", dataset={"num_train": 2})
    assert measured(tmp_path, "table6", "dataset=digits").records == []
    write_run(tmp_path, f"{DIGITS} epochs=1")
    (cell,) = measured(tmp_path, "table6", "dataset=digits").cells
    facts = ("num_classes", "num_train", "num_test", "labels_per_sample")
    assert [cell.values(name) for name in facts] == [[80], [8000], [4000], [2.9021]]


@pytest.fixture
def own_table(tmp_path):
    def measured_table(axis, values):
        text = f"caption: Mine\nbase: {DIGITS}\ncolumns: {{name: x, key: {axis}, values: {values}}}\n"
        return measured(tmp_path, "mine", own=write_table(tmp_path, text))

    return measured_table


def test_a_table_may_vary_the_precision(tmp_path, own_table):
    for number, precision in enumerate(("fp32", "bf16", "bf16")):
        write_run(tmp_path, DIGITS, number, (50.0 + number, 70.0), precision=precision)
    table = own_table("precision", "[fp32, bf16]")
    assert scores(table) == {"fp32": [50.0], "bf16": [51.0, 52.0]}


@pytest.mark.parametrize("key", ["dataset.num_train", "data.holdout"])
def test_a_table_may_vary_the_data(key, tmp_path, own_table):
    for value, fingerprint in ((0.1, "e"), (0.2, "f")):
        facts = {"fingerprints": {"train": fingerprint * 64, "test": "b" * 64}}
        write_run(tmp_path, f"{DIGITS} {key}={value}", dataset=facts)
    table = own_table(key, "[0.1, 0.2]")
    assert scores(table) == {"0.1": [50.0], "0.2": [50.0]}
    assert table.left_out == []


def test_a_run_of_another_seed_than_asked_for_is_not_named(tmp_path):
    write_run(tmp_path, DIGITS)
    for seed, status in ((7, "diverged"), (8, "running")):
        write_run(tmp_path, DIGITS, seed, status=status)
    assert measured(tmp_path, "table3", "dataset=digits", seeds=(0,)).left_out == []
    assert len(measured(tmp_path, "table3", "dataset=digits").left_out) == 2


def test_a_cell_that_does_not_compose_is_told_with_its_table(tmp_path):
    own = write_table(tmp_path, "caption: Mine\nbase: dataset=digits loss=asl loss.way=both\n")
    assert measured(tmp_path, "mine", own=own).records == [], "no record can be in it"
    write_run(tmp_path, "dataset=digits loss=asl")
    with pytest.raises(ConfigError, match=r"a cell of mine \(dataset=digits loss=asl loss\.way=both\): .*point-wise"):
        measured(tmp_path, "mine", own=own)


def test_a_run_whose_experiment_renames_its_data_is_in_its_cell(tmp_path):
    words = "dataset=digits experiment=renamed loss=twoway"
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "renamed.yaml").write_text(
        "# @package _global_\ndataset:\n  name: renamed\n", encoding="utf-8"
    )
    write_table(tmp_path, f"caption: Mine\nbase: {words}\n")
    run = write_run(tmp_path / "runs", words, own=tmp_path)
    table = measured(tmp_path / "runs", "mine", own=tmp_path)
    assert [record["run_id"] for record in table.records] == [run.name]
