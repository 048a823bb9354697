"""Records whose checksum is right, and which still are none."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from margin_bench.cli import main
from margin_bench.records.record import read_records, write_record
from margin_bench.records.shape import OF_A_FINISHED_RUN, OF_ALL, OF_THE_OPEN_GROUPS, oddity_of
from tests.helpers.synthetic_runs import record_of, write_run

RESULTS = Path(__file__).parents[2] / "results" / "runs"
KEYS = [*OF_ALL, *OF_A_FINISHED_RUN, *(f"config.{key}" for key in OF_THE_OPEN_GROUPS)]
KEYS += ["config.epochs", "config.optim", "config.optim.head_lr", "config.backbone.weights", "config.data.quirks"]
ODD: list[Any] = [None, "text", [], {}, -1.5, True]


def changed(key: str, value: Any = None, *, is_left_out: bool = False) -> dict[str, Any]:
    record = copy.deepcopy(record_of("dataset=digits"))
    *path, last = key.split(".")
    section = record
    for part in path:
        section = section[part]
    if is_left_out:
        del section[last]
    else:
        section[last] = value
    return record


def test_committed_records_are_whole() -> None:
    records, unread = read_records(RESULTS)
    assert records
    assert not unread
    assert {oddity_of(record) for record in records} == {None}


@pytest.mark.parametrize("key", KEYS)
def test_what_is_missing_is_named(key: str) -> None:
    oddity = oddity_of(changed(key, is_left_out=True))
    assert oddity is not None
    assert key in oddity


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("key", KEYS)
def test_an_odd_value_hurts_no_table(tmp_path: Path, key: str, value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is either named and left out, or of no harm."""
    write_record(tmp_path / "odd", changed(key, value))
    write_run(tmp_path, "dataset=digits", scores=(12.5, 25.0))
    assert main(["tables", "table3", "dataset=digits", f"runs_dir={tmp_path}"]) == 0
    assert "12.50" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["metrics", "config.loss", "dataset.class_names"])
def test_an_odd_record_is_told_by_what_needs_it(tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tmp_path / "odd"
    write_record(run_dir, changed(key, is_left_out=True))
    for words in (["evaluate", f"run={run_dir}"], ["compare", str(run_dir), str(run_dir)]):
        assert main(words) == 4
        assert "is no record of a run" in capsys.readouterr().err


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_record_that_is_too_deep_is_named(tmp_path: Path, depth: int, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, "dataset=digits", scores=(12.5, 25.0))
    (tmp_path / "deep").mkdir()
    deep = f'{{"schema": 3, "sha256": "", "config": {"[" * depth}{"]" * depth}}}'
    (tmp_path / "deep" / "record.json").write_text(deep, encoding="utf-8")
    assert main(["tables", "table3", "dataset=digits", f"runs_dir={tmp_path}"]) == 0
    told = capsys.readouterr()
    assert "12.50" in told.out
    assert str(tmp_path / "deep") in told.out + told.err


def test_every_key_of_a_record_may_be_anything_that_json_can_say(tmp_path: Path) -> None:
    """Nothing but its checksum vouches for a record, and that is easily made."""
    for number, value in enumerate(json.loads('[null, 0, "", [], {}, [[]], {"a": {}}]')):
        for key in record_of("dataset=digits"):
            write_record(tmp_path / f"{key}{number}", changed(key, value))
    assert main(["tables", "table3", "dataset=digits", f"runs_dir={tmp_path}"]) == 0
