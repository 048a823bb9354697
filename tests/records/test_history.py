"""What a run keeps on its way: a line for each epoch, and a log."""

import json
import os
from pathlib import Path

import pytest

from margin_bench.records.history import write_history, write_log


def test_the_history_is_one_line_per_entry(tmp_path: Path) -> None:
    history = [{"epoch": 1, "map_class": 0.5}, {"epoch": 2, "map_class": 0.6}]
    write_history(tmp_path, history)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == history


def test_a_history_written_again_has_no_line_twice(tmp_path: Path) -> None:
    write_history(tmp_path, [{"epoch": 1}, {"epoch": 2}])
    write_history(tmp_path, [{"epoch": 1}])
    assert (tmp_path / "metrics.jsonl").read_text(encoding="utf-8") == '{"epoch": 1}\n'


def test_a_history_with_a_number_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_history(tmp_path, [{"loss": float("nan")}])


def test_a_log_keeps_what_earlier_starts_said_and_is_no_reason_to_fail(tmp_path: Path) -> None:
    write_log(tmp_path, "first start")
    write_log(tmp_path, "second start")
    assert [line.partition(" ")[2] for line in (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()] == [
        "first start",
        "second start",
    ]
    write_log(tmp_path / "missing", "nowhere to write it")


def test_a_log_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").symlink_to(tmp_path / "precious")
    write_log(tmp_path / "a", "said")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "log.txt")
    write_log(tmp_path / "b", "said")
