"""Paths of this machine: taken out of what goes into a record, kept beside it, and put in again."""

import json
import os
from pathlib import Path, PurePath
from typing import Any

import pytest

from margin_bench.config.dotted import leaves_of
from margin_bench.errors import CheckpointError, DataError
from margin_bench.records.paths import (
    KEYS,
    last_part,
    located,
    read_paths,
    text_without_paths,
    without_paths,
    words_without_paths,
    write_paths,
)

COCO = {"name": "coco", "_target_": "margin_bench.data.coco.load"}
CSV = {"name": "csv", "_target_": "margin_bench.data.tabular.load"}


def config(dataset: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": dataset, "backbone": {"weights": None, "options": {}}, "runs_dir": "runs"}


def test_of_each_path_the_last_part_is_left_and_the_whole_is_kept() -> None:
    content = config({**CSV, "file": "tables/a.csv", "root": "/data/images", "extra": ["/x/y", "z"], "labels": "a/b"})
    short, paths = without_paths(content)
    assert short == config({**CSV, "file": "a.csv", "root": "images", "extra": ["y", "z"], "labels": "a/b"})
    assert paths == {
        "dataset.file": str(Path("tables/a.csv").absolute()),
        "dataset.root": "/data/images",
        "dataset.extra": ["/x/y", "z"],
        "runs_dir": str(Path("runs").absolute()),
    }
    assert content["dataset"]["root"] == "/data/images", "as it was"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/a/b", "b"),
        ("/a/b/", "b"),
        ("~/a", "a"),
        ("/", "/"),
        ("a/b", "a/b"),
        ("file:///a/b", "b"),
        (["/a/b", 1], ["b", 1]),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_the_last_part_of_a_value(value: Any, expected: Any) -> None:
    assert last_part(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/coco/a.jpg is missing.", "a.jpg is missing."),
        (
            "[Errno 2] No such file or directory: '/data/my images/a.jpg'",
            "[Errno 2] No such file or directory: 'a.jpg'",
        ),
        ("root=/data/coco, or (~/data/x)", "root=coco, or (x)"),
        ("/home/me/x.py:12: in f", "x.py:12: in f"),
        ("targets 1/0/-1, mAP@class / mAP@sample, and/or", "targets 1/0/-1, mAP@class / mAP@sample, and/or"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("/our folder/images/train/a.jpg and /our folder/images", "a.jpg and images"),
        ("a.jpg\n/data/b", "a.jpg\nb"),
    ],
)
def test_a_text_keeps_only_the_last_part_of_a_path(text: str, expected: str) -> None:
    assert text_without_paths(text, {"a": "/our folder/images", "b": "/", "c": ["/x"]}) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/usr/bin/margin-bench", "margin-bench"),
        ("/my tools/margin bench", "margin bench"),
        ("dataset.root=/data/my images", "dataset.root=my images"),
        ("+dataset.file=tables/a.csv", "+dataset.file=a.csv"),
        ("runs_dir='/a/b,c'", "runs_dir=b,c"),
        ("backbone.weights=/a/x.pt,/b/y.pt", "backbone.weights=x.pt,y.pt"),
        ("--config-dir=/a/my configs", "--config-dir=my configs"),
        ("dataset={name:a,root:/data/x}", "dataset={name:a,root:x}"),
        ("seed=0,1,2", "seed=0,1,2"),
        ("loss=glob(*)", "loss=glob(*)"),
        ("-m", "-m"),
    ],
)
def test_the_words_of_a_command_line_keep_only_the_last_part_of_a_path(word: str, expected: str) -> None:
    assert words_without_paths([word]) == [expected]


def test_paths_come_back_as_they_were_and_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_paths(tmp_path) == read_paths(tmp_path / "no run") == {}
    write_paths(tmp_path, {"dataset.root": "/data/ü"})
    assert read_paths(tmp_path) == {"dataset.root": "/data/ü"}


@pytest.mark.parametrize("content", ["{", "[1]", "\xff", "[" * 200_000])
def test_a_damaged_file_of_paths_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "paths.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(CheckpointError, match="Delete it, and give root=DIR"):
        read_paths(tmp_path)


def test_a_pipe_in_the_place_of_paths_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "paths.json")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_paths(tmp_path)


def test_a_run_finds_its_data_where_they_were(tmp_path: Path) -> None:
    short, paths = without_paths(config({**COCO, "root": "/data/coco", "year": 2014}))
    write_paths(tmp_path, paths)
    assert located(short, tmp_path)["dataset"]["root"] == "/data/coco"
    assert located(short, tmp_path, root="/elsewhere")["dataset"]["root"] == "/elsewhere"
    assert short["dataset"]["root"] == "coco", "as it was"


def test_a_run_without_its_paths_finds_a_data_set_of_ours_in_its_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARGIN_BENCH_DATA", "/usual")
    short, _ = without_paths(config({**COCO, "root": "/data/coco"}))
    assert located(short, tmp_path)["dataset"]["root"] == "/usual/coco"


def test_a_run_without_its_paths_asks_for_the_folder_of_what_lies_anywhere(tmp_path: Path) -> None:
    short, _ = without_paths(config({**CSV, "file": "/a/labels.csv", "test_file": None, "root": None}))
    with pytest.raises(DataError, match=r"where dataset\.file=labels\.csv is .*\nGive .* root=DIR") as caught:
        located(short, tmp_path)
    assert len(str(caught.value).splitlines()) <= 3
    found = located(short, tmp_path, root="/b")["dataset"]
    assert (found["file"], found["test_file"], found["root"]) == ("/b/labels.csv", None, "/b")


def test_a_data_set_of_the_users_own_that_has_the_name_of_ours_has_no_usual_place(tmp_path: Path) -> None:
    short, _ = without_paths(config({"name": "coco", "_target_": "my_package.load", "root": "/data/coco"}))
    with pytest.raises(DataError, match=r"dataset\.root=coco"):
        located(short, tmp_path)


@pytest.mark.parametrize(
    "hostile",
    [
        {"dataset._target_": "os.system"},
        {"dataset.root": "/etc"},
        {"dataset.more": "/etc/coco"},
        {"dataset.name.x": None, "other.key": "/x"},
    ],
)
def test_a_file_of_paths_changes_nothing_that_the_record_does_not_name(hostile: dict[str, Any], tmp_path: Path) -> None:
    short, paths = without_paths(config({**COCO, "root": "/data/coco"}))
    (tmp_path / "paths.json").write_text(json.dumps({**paths, **hostile}), encoding="utf-8")
    found = located(short, tmp_path, root="/data/coco")
    assert found["dataset"] == {**COCO, "root": "/data/coco"}
    assert found.keys() == short.keys()


def test_no_record_in_the_repository_holds_a_path() -> None:
    paths = sorted((Path(__file__).parents[2] / "results" / "runs").glob("*/record.json"))
    assert paths
    for path in paths:
        record = json.loads(path.read_text(encoding="utf-8"))
        config = record["config"]
        assert all(PurePath(value).name == value for key, value in leaves_of(config) if key in KEYS and value)
        assert all(last_part(value) == value for _, value in leaves_of(config))
        command = record["environment"]["command"]
        assert words_without_paths(command) == command
        assert record["error"] is None
        assert path.parent.name == record["run_id"]
