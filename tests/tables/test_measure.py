"""Records in the cells of tables."""

import pytest

from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError
from margin_bench.tables.cells import Request
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.spec import read_table
from margin_bench.tables.usable_records import load_records
from tests.helpers.synthetic_runs import identities, write_run

DIGITS = "dataset=digits loss=twoway"


def measured(runs_dir, name, *words, **request):
    table = read_table(name, Sources())
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


def test_the_rate_of_a_cell_is_that_of_its_best_trial(tmp_path):
    rates = {"optim.head_lr=0.1 optim.backbone_lr=0.05": 40.0, "optim.head_lr=0.2 optim.backbone_lr=0.1": 45.0}
    words = "dataset=digits loss=focal"
    request = {"words": ("dataset=digits", "backbone=digits"), "rates": (0.1, 0.2), "seeds": (0, 1)}

    def focal():
        table = measure(read_table("table7", Sources()), Request(**request), load_records(tmp_path), identities())
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


TRIALS = {0.1: "optim.head_lr=0.1 optim.backbone_lr=0.05", 0.2: "optim.head_lr=0.2 optim.backbone_lr=0.1"}
FOCAL = "dataset=digits loss=focal"


def searched(runs_dir, *words):
    """The cell of the focal loss, at the rate that is chosen for it."""
    table = measured(runs_dir, "table7", "dataset=digits", "backbone=digits", *words, rates=tuple(TRIALS), seeds=(0,))
    (cell,) = [cell for cell in table.cells if cell.row.label == "focal"]
    return cell, table.left_out


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
    (tmp_path / "experiment" / "fixed_head.yaml").write_text("# @package _global_\noptim: {head_lr: 0}\n")
    request = Request(words=("dataset=digits", "experiment=fixed_head"), rates=(0.1, 0.2))
    table = read_table("table3", Sources())
    with pytest.raises(ConfigError, match=r"set optim\.head_lr above 0"):
        measure(table, request, load_records(tmp_path), Identities(Sources(tmp_path)))


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


@pytest.fixture
def own_table(tmp_path):
    def measured_table(axis, values):
        (tmp_path / "table").mkdir()
        (tmp_path / "table" / "mine.yaml").write_text(
            f"caption: Mine\nbase: {DIGITS}\ncolumns: {{name: x, key: {axis}, values: {values}}}\n"
        )
        return measure(read_table("mine", Sources(tmp_path)), Request(), load_records(tmp_path), identities())

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
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text("caption: Mine\nbase: dataset=digits loss=asl loss.way=both\n")
    table = read_table("mine", Sources(tmp_path))
    assert measure(table, Request(), load_records(tmp_path), identities()).records == [], "no record can be in it"
    write_run(tmp_path, "dataset=digits loss=asl")
    with pytest.raises(ConfigError, match=r"a cell of mine \(dataset=digits loss=asl loss\.way=both\): .*point-wise"):
        measure(table, Request(), load_records(tmp_path), identities())
