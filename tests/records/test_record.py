"""The record of a run: written, read, and refused where it cannot be trusted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from margin_bench.errors import CheckpointError
from margin_bench.records import record as record_module
from margin_bench.records.paths import words_without_paths
from margin_bench.records.record import FINISHED, environment, read_record, read_records, write_record

RECORD = {
    "status": FINISHED,
    "run_id": "digits-twoway-0123abcd",
    "config": {"loss": {"name": "twoway", "positive_temperature": 4.0}, "note": "μ, a \u2028 b", "root": None},
    "history": [{"epoch": 1, "map_class": 0.1 + 0.2}, {"epoch": 2, "map_class": 1e-7}],
}


def edit(run_dir: Path, old: str, new: str) -> None:
    path = run_dir / "record.json"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    write_record(tmp_path / "run", RECORD)
    assert read_record(tmp_path / "run") == RECORD


def test_a_record_is_replaced(tmp_path: Path) -> None:
    write_record(tmp_path, {**RECORD, "status": "running"})
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_the_file_says_its_schema_and_its_checksum(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    content = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert content["schema"] == 3
    assert len(content["sha256"]) == 64


def test_white_space_and_the_order_of_keys_do_not_matter(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), sort_keys=True), encoding="utf-8")
    assert read_record(tmp_path) == RECORD


def test_keys_that_are_numbers_become_text(tmp_path: Path) -> None:
    write_record(tmp_path, {"left_out": {2: "b", 10: "a"}})
    assert read_record(tmp_path) == {"left_out": {"2": "b", "10": "a"}}


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "no such run") is None


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"lies in a file\. Give a folder as runs_dir=DIR"):
        read_record(tmp_path / "file" / "run")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_written(number: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path, {"metrics": {"map_class": number}})
    assert list(tmp_path.iterdir()) == []


def test_no_edited_byte_changes_a_record_unnoticed(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    path = tmp_path / "record.json"
    data = path.read_bytes()
    for position in range(len(data)):
        for bit in (1, 16):
            path.write_bytes(data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :])
            try:
                record = read_record(tmp_path)
            except CheckpointError:
                continue
            assert record == RECORD, "only white space may differ"


def test_an_edited_record_is_told_in_at_most_three_lines(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    edit(tmp_path, '"finished"', '"running"')
    with pytest.raises(CheckpointError, match="was changed after it was written") as caught:
        read_record(tmp_path)
    assert str(tmp_path / "record.json") in str(caught.value)
    assert f"Delete the run's folder {tmp_path}" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_a_schema_of_another_version_is_told(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    edit(tmp_path, '"schema": 3', '"schema": 1')
    with pytest.raises(CheckpointError, match="has schema 1, this version of margin-bench reads 3"):
        read_record(tmp_path)


def test_a_record_of_the_schema_before_is_told_what_brings_it_to_this_one(tmp_path: Path) -> None:
    write_record(tmp_path / "runs" / "a", RECORD)
    edit(tmp_path / "runs" / "a", '"schema": 3', '"schema": 2')
    with pytest.raises(CheckpointError, match=rf"migrate_records\.py {tmp_path / 'runs'}` brings it to 3") as caught:
        read_record(tmp_path / "runs" / "a")
    assert len(str(caught.value).splitlines()) == 1


def test_many_records_that_cannot_be_read_for_one_cause_are_told_in_one_line(tmp_path: Path) -> None:
    for name in "abc":
        write_record(tmp_path / name, RECORD)
        edit(tmp_path / name, '"schema": 3', '"schema": 2')
    (line,) = read_records(tmp_path)[1]
    assert line.startswith(f"{tmp_path / 'a' / 'record.json'} and 2 more: has schema 2: `python scripts/migrate")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is not JSON"),
        (b'{"schema": 3, ', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b'{"schema": 3, "sha256": "", "map_class": NaN}', "is not JSON"),
        (b"[1, 2]", "is not the record of a run"),
        (b'{"status": "finished"}', "is not the record of a run"),
    ],
)
def test_a_file_that_is_no_record_is_told(content: bytes, cause: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=cause):
        read_record(tmp_path)


def test_all_records_are_read_and_the_broken_ones_named(tmp_path: Path) -> None:
    for name in ("b", "a", "sweep/c", "broken"):
        write_record(tmp_path / name, {"run_id": name})
    edit(tmp_path / "broken", '"broken"', '"finished"')
    (tmp_path / "started only").mkdir()
    records, unread = read_records(tmp_path)
    assert records == [{"run_id": "a"}, {"run_id": "b"}, {"run_id": "sweep/c"}]
    assert len(unread) == 1
    assert str(tmp_path / "broken" / "record.json") in unread[0]
    assert "\n" not in unread[0]


def test_a_folder_that_is_not_there_has_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "runs") == ([], [])


def test_the_environment_is_told() -> None:
    told = environment()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert {"python", "torch", "torchvision", "timm", "numpy", "margin_bench"} <= told["versions"].keys()
    assert told["hardware"]["cpu"]
    assert told["hardware"]["cores"] >= 1
    assert told["hardware"]["memory_gib"] > 0
    assert told["hardware"]["threads"] == torch.get_num_threads()
    assert told["command"] == words_without_paths(sys.argv)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_that_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_REPOSITORY", tmp_path)
    assert environment()["commit"] is None, "no checkout"
    git(tmp_path, "init")
    (tmp_path / "file").write_text("content", encoding="utf-8")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "Begin")
    git(tmp_path, "tag", "v1.0")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert environment()["commit"] == commit
    (tmp_path / "file").write_text("other content", encoding="utf-8")
    assert environment()["commit"] == f"{commit}-dirty"


def test_a_package_inside_another_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment often lies in the checkout of the project that uses it."""
    git(tmp_path, "init")
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(record_module, "_REPOSITORY", tmp_path / "site-packages")
    assert environment()["commit"] is None


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(record_module, "_REPOSITORY", tmp_path)
    monkeypatch.setenv("PATH", "")
    assert environment()["commit"] is None


def test_graphics_cards_are_named_if_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(device_count=lambda: 2, get_device_name=lambda index: f"card {index}")
    backends = SimpleNamespace(cudnn=SimpleNamespace(allow_tf32=True))
    fake = SimpleNamespace(get_num_threads=lambda: 3, cuda=cuda, backends=backends)

    monkeypatch.setitem(sys.modules, "torch", fake)
    assert environment()["hardware"]["gpus"] == ["card 0", "card 1"]
    assert environment()["hardware"]["threads"] == 3
    monkeypatch.delitem(sys.modules, "torch")
    assert environment()["hardware"]["gpus"] == []


def test_records_are_read_without_torch(tmp_path: Path) -> None:
    write_record(tmp_path / "run", RECORD)
    code = """
import sys
from pathlib import Path
from margin_bench.records.paths import words_without_paths
from margin_bench.records.record import environment, read_records
assert len(read_records(Path(sys.argv[1]))[0]) == 1
assert environment()["hardware"]["gpus"] == []
assert not {"torch", "numpy", "tqdm"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)


def test_what_is_no_regular_file_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    write_record(tmp_path / "a", RECORD)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "record.json")
    records, (line,) = read_records(tmp_path)
    assert records == [RECORD]
    assert line == f"{tmp_path / 'pipe' / 'record.json'} cannot be read: no regular file."
