"""The records that tables are made of."""

import shutil

from margin_bench.tables.usable_records import load_records
from tests.helpers.synthetic_runs import write_run

DIGITS = "dataset=digits loss=twoway"


def test_finished_runs_count_by_their_ids(tmp_path):
    runs = [write_run(tmp_path, DIGITS, seed) for seed in (0, 1)]
    records = load_records(tmp_path)
    assert set(records.usable) == {run.name for run in runs}
    assert (records.unusable, records.unread) == ([], [])


def test_what_does_not_count_is_there_with_the_reason(tmp_path):
    write_run(tmp_path, DIGITS, 0, status="stopped")
    write_run(tmp_path, DIGITS, 1, metric_protocol="sklearn")
    reasons = [reason for _, reason in load_records(tmp_path).unusable]
    assert sorted(reasons) == [
        "is scored by the metric protocol sklearn, not paper",
        "is stopped, not finished",
    ]


def test_a_record_that_is_there_twice_counts_once(tmp_path):
    run = write_run(tmp_path, DIGITS)
    shutil.copytree(run, tmp_path / "copy")
    records = load_records(tmp_path)
    assert len(records.usable) == 1
    assert [reason for _, reason in records.unusable] == ["is there twice, and counts once"]


def test_a_record_that_cannot_be_read_is_told(tmp_path):
    (write_run(tmp_path, DIGITS) / "record.json").write_text("{", encoding="utf-8")
    records = load_records(tmp_path)
    assert records.readable == []
    assert [line.endswith("is not JSON.") for line in records.unread] == [True]


def test_runs_that_diverged_need_not_begin_again(tmp_path):
    write_run(tmp_path, DIGITS, 0, status="failed")
    ended = [write_run(tmp_path, DIGITS, 1, status="diverged", metrics=None), write_run(tmp_path, DIGITS, 2)]
    assert set(load_records(tmp_path).ended) == {run.name for run in ended}


def test_names_are_those_that_records_have_together(tmp_path):
    write_run(tmp_path, DIGITS)
    write_run(tmp_path, "dataset=coco loss=hinge", status="failed")
    two_way, hinge = (f"margin_bench.losses.{name}" for name in ("TwoWayLoss", "HingeLoss"))
    assert load_records(tmp_path).names == {("digits", "test_resnet", two_way), ("coco", "resnet50", hinge)}


def test_traits_are_what_decides_a_result(tmp_path):
    run = write_run(tmp_path, f"{DIGITS} epochs=3")
    traits = load_records(tmp_path).traits(run.name)
    assert traits["epochs"] == "3"
    assert "workers" not in traits
