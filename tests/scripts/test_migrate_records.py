"""Records of margin-bench 0.1.0, brought to the schema of now."""

import copy
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from margin_bench.config.sources import PACKAGE
from margin_bench.records.paths import read_paths
from margin_bench.records.record import checksum, read_finished
from margin_bench.runtime.files import sha256

SCRIPT = Path(__file__).parents[2] / "scripts" / "migrate_records.py"
# Ids of one run, by 0.1.0 and by 0.2.0: both are facts, which no later version changes.
OLD_ID = "digits-test_resnet-ranking_hinge-joint-seed0-32aea8b9a9"
NEW_ID = "digits-test_resnet-RankingHingeLoss-joint-seed0-be5fafd009"
WEIGHTS = PACKAGE / "weights" / "digits.safetensors"
RECORD: dict[str, Any] = {
    "status": "finished",
    "run_id": OLD_ID,
    "config": {
        "dataset": {
            "name": "digits",
            "_target_": "margin_bench.data.digits.load",
            "root": "/home/someone/data",
            "num_train": 8000,
            "num_test": 4000,
        },
        "data": {"holdout": 0.0, "quirks": {"fixed_buckets": False}},
        "transforms": {"_target_": "margin_bench.data.scenes.Scenes"},
        "backbone": {
            "library": "timm",
            "name": "test_resnet",
            "pretrained": False,
            "weights": "/home/someone/margin_bench/weights/digits.safetensors",
            "options": {"output_stride": 16},
            "head": "linear",
            "scale": 16.0,
            "learn_scale": False,
        },
        "loss": {
            "name": "ranking_hinge",
            "about": {"kind": "relative"},
            "_target_": "margin_bench.losses.RankingHingeLoss",
            "way": "joint",
            "margin": 1.0,
            "weighting": "none",
            "mining": "all",
            "seed": 0,
        },
        "optim": {"head_lr": 0.2, "backbone_lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0001},
        "epochs": 6,
        "batch_size": 512,
        "bucket_size": 128,
        "microbatch_size": 128,
        "seed": 0,
        "devices": 1,
        "precision": "bf16",
        "workers": None,
        "evaluate_every": 7,
        "runs_dir": "/home/someone/runs",
        "tracker": "none",
    },
    "seed": 0,
    "metrics": {"map_class": 0.036199999999999996, "map_sample": 0.24069465345700292},
    "history": [{"epoch": 6, "map_class": 0.036199999999999996}],
    "weights_sha256": "4" * 64,
    "environment": {"commit": None, "command": ["/home/someone/bin/margin-bench", "runs_dir=/home/someone/runs"]},
    "started": "2026-11-21T03:54:39+00:00",
    "ended": "2026-11-21T03:55:26+00:00",
    "error": None,
}
UNCHANGED = ("status", "seed", "metrics", "history", "weights_sha256", "started", "ended", "error")


def write(run_dir: Path, record: dict[str, Any], schema: int = 2) -> Path:
    """Write a record as 0.1.0 did; return its directory."""
    content = {"schema": schema, **record}
    run_dir.mkdir(parents=True)
    (run_dir / "record.json").write_text(json.dumps({**content, "sha256": checksum(content)}), encoding="utf-8")
    return run_dir


def changed(**changes: Any) -> dict[str, Any]:
    """The record with other values of its configuration, by dotted keys with `__` for the dot."""
    record = copy.deepcopy(RECORD)
    for key, value in changes.items():
        section, _, name = key.rpartition("__")
        (record["config"][section] if section else record["config"])[name] = value
    return record


def migrate(runs_dir: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, SCRIPT, runs_dir], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_run_gets_its_lasting_id_and_keeps_its_results(tmp_path: Path) -> None:
    run_dir = write(tmp_path / OLD_ID, RECORD)
    (run_dir / "checkpoints").mkdir()
    (run_dir / "scores.npz").write_bytes(b"scores")
    code, said = migrate(tmp_path)
    assert (code, said.splitlines()) == (
        0,
        [f"{run_dir} -> {NEW_ID}", "1 brought to schema 3, 0 of it before, 0 left"],
    )
    (new_dir,) = tmp_path.iterdir()
    assert new_dir.name == NEW_ID
    assert sorted(path.name for path in new_dir.iterdir()) == ["checkpoints", "record.json", "scores.npz"]
    record = read_finished(new_dir)
    assert record["run_id"] == NEW_ID
    assert {key: record[key] for key in UNCHANGED} == {key: RECORD[key] for key in UNCHANGED}
    assert record["files_sha256"] == {"backbone.weights": sha256(WEIGHTS)}
    assert [record["config"][group]["revision"] for group in ("dataset", "transforms", "loss")] == [1, 1, 1]


def test_a_record_holds_no_path_any_more(tmp_path: Path) -> None:
    write(tmp_path / OLD_ID, RECORD | {"status": "failed", "error": "/home/someone/data/a.jpg is missing"})
    migrate(tmp_path)
    text = (tmp_path / NEW_ID / "record.json").read_text(encoding="utf-8")
    assert "someone" not in text
    record = json.loads(text)
    assert record["environment"]["command"] == ["margin-bench", "runs_dir=runs"]
    assert record["error"] == "a.jpg is missing"
    assert not (tmp_path / NEW_ID / "paths.json").exists(), "without weights it is not scored again"


def test_a_run_with_weights_keeps_the_paths_that_lead_somewhere_beside_its_record(tmp_path: Path) -> None:
    run_dir = write(tmp_path / "runs" / OLD_ID, changed(dataset__root=str(tmp_path)))
    (run_dir / "weights.safetensors").write_bytes(b"weights")
    migrate(tmp_path / "runs")
    assert read_paths(tmp_path / "runs" / NEW_ID) == {"dataset.root": str(tmp_path)}


def test_a_second_time_nothing_is_left_to_do(tmp_path: Path) -> None:
    write(tmp_path / OLD_ID, RECORD)
    migrate(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert migrate(tmp_path) == (0, "0 brought to schema 3, 1 of it before, 0 left\n")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_run_whose_directory_was_renamed_already_gets_its_record(tmp_path: Path) -> None:
    """As after a migration that was killed between the two steps."""
    write(tmp_path / NEW_ID, RECORD)
    assert migrate(tmp_path)[0] == 0
    assert read_finished(tmp_path / NEW_ID)["run_id"] == NEW_ID


def test_a_directory_that_a_user_named_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path / "my best", RECORD)
    assert migrate(tmp_path)[0] == 0
    assert read_finished(tmp_path / "my best")["run_id"] == NEW_ID


def test_a_file_is_known_by_the_records_own_checksum(tmp_path: Path) -> None:
    files = {"backbone.weights": sha256(WEIGHTS)}
    write(tmp_path / OLD_ID, changed(backbone__weights="/no/such/file") | {"files_sha256": files})
    assert migrate(tmp_path)[0] == 0
    assert read_finished(tmp_path / NEW_ID)["files_sha256"] == files


@pytest.mark.parametrize(
    ("record", "schema", "said"),
    [
        (changed(backbone__weights="/no/such/file"), 2, "backbone.weights=/no/such/file is not there"),
        (changed(epochs=7), 2, f"{OLD_ID} is not the id of its configuration"),
        (RECORD, 1, "it has schema 1; only 2 can be brought to 3"),
    ],
)
def test_a_record_that_something_is_wrong_with_is_named_and_left(
    record: dict[str, Any], schema: int, said: str, tmp_path: Path
) -> None:
    run_dir = write(tmp_path / OLD_ID, record, schema)
    before = (run_dir / "record.json").read_bytes()
    code, told = migrate(tmp_path)
    assert code == 1
    assert f"left: {run_dir / 'record.json'}: {said}" in told
    assert "1 left" in told
    assert (run_dir / "record.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"\xff"])
def test_what_is_no_record_is_named_and_left(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(content)
    code, told = migrate(tmp_path)
    assert (code, "it cannot be read as the record of a run" in told) == (1, True)


def test_a_record_that_was_changed_is_named_and_left(tmp_path: Path) -> None:
    path = write(tmp_path / OLD_ID, RECORD) / "record.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.2406", "0.9406"), encoding="utf-8")
    assert "its checksum is wrong" in migrate(tmp_path)[1]


def test_one_run_by_two_ids_stays_two(tmp_path: Path) -> None:
    write(tmp_path / NEW_ID, RECORD)
    migrate(tmp_path)
    write(tmp_path / OLD_ID, RECORD)
    code, told = migrate(tmp_path)
    assert (code, f"it is the same run as {tmp_path / NEW_ID}, which is there already" in told) == (1, True)
    assert f"move {tmp_path / OLD_ID} elsewhere or delete it" in told
    assert (tmp_path / OLD_ID / "record.json").exists()


def test_a_run_that_is_going_on_is_left(tmp_path: Path) -> None:
    run_dir = write(tmp_path / OLD_ID, RECORD)
    with FileLock(run_dir / ".lock"):
        assert "the run is going on" in migrate(tmp_path)[1]
    assert migrate(tmp_path)[0] == 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    code, told = migrate(tmp_path / "runz")
    assert (code, "runz is no folder" in told) == (2, True)


def renamed(name: str, **values: Any) -> dict[str, Any]:
    """The record of the same run by now, which had another id before, as the name of its loss counted."""
    record = changed(loss__name=name) | values
    id_before = runpy.run_path(str(SCRIPT))["id_before"]
    return record | {"run_id": id_before(record["config"], {"backbone.weights": sha256(WEIGHTS)})}


def test_of_two_records_of_one_run_the_finished_one_gets_the_id(tmp_path: Path) -> None:
    failed = renamed("a", status="failed", ended="2027-01-01T00:00:00+00:00")
    for record in (RECORD, failed):
        write(tmp_path / record["run_id"], record)
    code, told = migrate(tmp_path)
    assert read_finished(tmp_path / NEW_ID)["metrics"] == RECORD["metrics"]
    assert code == 1
    assert f"left: {tmp_path / failed['run_id'] / 'record.json'}: it is the same run as {tmp_path / NEW_ID}" in told


def test_of_two_finished_records_of_one_run_the_later_one_gets_the_id(tmp_path: Path) -> None:
    later = renamed("z", metrics={"map_class": 0.5}, ended="2027-01-01T00:00:00+00:00")
    for record in (RECORD, later):
        write(tmp_path / record["run_id"], record)
    migrate(tmp_path)
    assert read_finished(tmp_path / NEW_ID)["metrics"] == {"map_class": 0.5}
    assert (tmp_path / OLD_ID / "record.json").exists()


def test_a_worse_record_in_the_new_place_is_named_as_the_one_to_move(tmp_path: Path) -> None:
    failed = renamed("a", status="failed")
    write(tmp_path / failed["run_id"], failed)
    migrate(tmp_path)
    write(tmp_path / OLD_ID, RECORD)
    assert f"move {tmp_path / NEW_ID} elsewhere or delete it, then call this again" in migrate(tmp_path)[1]
    (tmp_path / NEW_ID).rename(tmp_path.parent / f"{tmp_path.name} aside")
    assert migrate(tmp_path)[0] == 0
    assert read_finished(tmp_path / NEW_ID)["status"] == "finished"


@pytest.mark.parametrize(
    "odd",
    [
        {"config": None},
        {"config": {}},
        {"config": RECORD["config"] | {"loss": [1]}},
        {"environment": None},
        {"error": 7},
        {"metrics": {"map_class": float("inf")}},
    ],
)
def test_an_odd_record_stays_where_it_is_and_the_others_are_migrated(odd: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / OLD_ID, RECORD | odd)
    write(tmp_path / "other", RECORD)
    code, told = migrate(tmp_path)
    assert (code, f"left: {tmp_path / OLD_ID / 'record.json'}: " in told) == (1, True)
    assert "1 brought to schema 3, 0 of it before, 1 left" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == [OLD_ID, "other"]


def test_pipes_and_deep_nesting_are_named_and_left(tmp_path: Path) -> None:
    for name in ("pipe", "deep"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / "record.json")
    (tmp_path / "deep" / "record.json").write_text("[" * 200_000, encoding="utf-8")
    code, told = migrate(tmp_path)
    assert (code, "0 brought to schema 3, 0 of it before, 2 left" in told) == (1, True)
