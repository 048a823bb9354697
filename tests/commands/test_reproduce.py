"""`margin-bench reproduce`: what a table lacks is run once, whatever happens on the way."""

import json
import os
import re
import shlex
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from margin_bench.cli import main
from margin_bench.records.record import read_record, write_record
from tests.helpers.tiny_run import TINY, start_command, wait_until

TABLE = """
caption: Two ways
base: dataset=digits loss=twoway epochs=2
columns: {name: way, key: loss.way, values: [both, class]}
"""


@pytest.fixture(scope="module")
def config_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configs")
    (folder / "table").mkdir()
    (folder / "table" / "mine.yaml").write_text(TABLE, encoding="utf-8")
    return folder


def command(folder: Path, config_dir: Path, *words: str) -> list[str]:
    """The words of a command that makes the table `mine` from runs in `folder/runs`, in `folder/tables`."""
    sizes = [word for word in TINY if not word.startswith("epochs")]
    own = [f"runs_dir={folder}/runs", "--config-dir", str(config_dir), "--output", str(folder / "tables")]
    return ["reproduce", "mine", *sizes, *own, *words]


def start(folder: Path, config_dir: Path, *words: str) -> subprocess.Popen[str]:
    """The command in a process group of its own."""
    return start_command(*command(folder, config_dir, *words))


def table(folder: Path) -> str:
    (path,) = (folder / "tables").glob("mine-*.md")
    return path.read_text(encoding="utf-8")


def without_date(text: str) -> str:
    """A table without the day of its last record, which may be the next one."""
    return re.sub(r"the last of [\d-]+", "", text)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "runs").glob("*/record.json"))]


def starts(folder: Path) -> dict[str, str]:
    """When each run was begun for the last time."""
    return {record["run_id"]: record["started"] for record in records(folder)}


def has_runs(folder: Path, number: int) -> bool:
    """Whether so many runs have saved their state."""
    return len(list(folder.glob("runs/*/checkpoints/manifest.json"))) >= number


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, config_dir):
    """A folder with the table and its runs, made without a disturbance."""
    folder = tmp_path_factory.mktemp("unbroken")
    assert main(command(folder, config_dir)) == 0
    return folder


def test_a_table_that_is_killed_on_the_way_ends_the_same_to_the_byte(tmp_path, config_dir, unbroken):
    for number in (1, 2):  # in the middle of the first run, and of the second
        process = start(tmp_path, config_dir)
        wait_until(partial(has_runs, tmp_path, number))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert main(command(tmp_path, config_dir)) == 0
    expected = table(unbroken).replace(str(unbroken), str(tmp_path))
    assert without_date(table(tmp_path)) == without_date(expected)


def test_a_table_that_is_whole_runs_nothing(unbroken, config_dir, capsys):
    before, shown = starts(unbroken), table(unbroken)
    assert main(command(unbroken, config_dir)) == 0
    assert starts(unbroken) == before
    assert table(unbroken) == shown
    assert "to go" not in capsys.readouterr().err
    assert main(["tables", *command(unbroken, config_dir)[1:]]) == 0
    assert table(unbroken) == shown


def test_two_at_once_execute_each_run_once(tmp_path, config_dir):
    processes = [start(tmp_path, config_dir) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "".join(said).count("epoch 2/2") == len(starts(tmp_path)) == 2
    assert "missing" not in table(tmp_path)


def test_runs_that_fail_are_told_at_the_end_with_their_logs(tmp_path, config_dir, capsys):
    words = ["optim.head_lr=1e30", "optim.backbone_lr=1e30", "precision=fp32"]
    assert main(command(tmp_path, config_dir, *words)) == 1
    error = capsys.readouterr().err
    assert "missing: 2" in error
    for run_id in starts(tmp_path):
        assert f"see {tmp_path}/runs/{run_id}/log.txt" in error
    assert "is diverged, not finished" in table(tmp_path)


def test_a_run_that_is_left_out_of_its_table_is_told_and_not_run_again(tmp_path, config_dir, capsys):
    words = command(tmp_path, config_dir, "loss.way=class", "seeds=2", "precision=fp32")
    assert main(words) == 0
    for path, data in zip(sorted((tmp_path / "runs").glob("*/record.json")), ("old", "new"), strict=True):
        record = read_record(path.parent)
        assert record is not None
        record["dataset"]["fingerprints"] = {"train": data, "test": data}
        write_record(path.parent, record)
    assert main(words) == 1
    assert "it is finished, but left out of the table" in capsys.readouterr().err
    assert "is on other data: its fingerprint differs" in table(tmp_path)


def test_a_dry_run_lists_what_is_missing_and_how_long_it_takes(unbroken, config_dir, capsys):
    assert main(command(unbroken, config_dir, "seeds=2", "--dry-run")) == 0
    *commands, number, minutes, source = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in commands] == ["seed=1", "seed=1"]
    assert number == "2 runs are missing"
    assert minutes == "about 0 min"
    assert source == "judged by finished runs: test_resnet on digits"


def test_a_dry_run_times_a_few_steps_where_no_finished_run_tells(tmp_path, config_dir, capsys):
    assert main(command(tmp_path, config_dir, "--dry-run")) == 0
    *_, minutes, source = capsys.readouterr().out.splitlines()
    assert minutes == "about 0 min"
    assert source == "judged by a few steps of training, without evaluations: test_resnet on digits"
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_why_it_cannot_know(tmp_path, capsys):
    assert main(["reproduce", "table5", f"dataset.root={tmp_path}", f"runs_dir={tmp_path}/runs", "--dry-run"]) == 0
    *_, number, why = capsys.readouterr().out.splitlines()
    assert number == "6 runs are missing"
    assert why.startswith("unknown: resnet50 on coco: Expected annotations/instances_train2014.json")


def test_the_command_of_a_missing_run_makes_it(tmp_path, config_dir, capsys):
    assert main(command(tmp_path, config_dir, "loss.way=class", "--dry-run")) == 0
    (line, *_) = capsys.readouterr().out.splitlines()
    assert main(line.split()[1:]) == 0
    before = starts(tmp_path)
    assert main(command(tmp_path, config_dir, "loss.way=class")) == 0
    assert starts(tmp_path) == before


def test_a_folder_with_signs_that_hydra_reads_holds_the_runs(tmp_path, config_dir, capsys):
    folder = tmp_path / "a, (b) c"
    assert main(command(folder, config_dir, "loss.way=class", "epochs=1", "seeds=2", "--dry-run")) == 0
    line, *_ = capsys.readouterr().out.splitlines()
    assert main(shlex.split(line)[1:]) == 0
    assert len(starts(folder)) == 1, "the command of a missing run made it"
    assert main(command(folder, config_dir, "loss.way=class", "epochs=1", "seeds=2")) == 0
    assert len(starts(folder)) == 2
    assert "missing" not in table(folder)


def test_every_cell_gets_the_rate_that_is_best_on_a_part_of_the_training_split(tmp_path, config_dir):
    words = ["search.lr=[0.05,0.1]", "loss.way=class", "epochs=1", "evaluate_every=1"]
    assert main(command(tmp_path, config_dir, *words)) == 0
    assert "Chosen for each cell from 0.05, 0.1" in table(tmp_path)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "runs").glob("*/record.json")]
    trials = {
        record["config"]["optim"]["head_lr"]: record["metrics"]
        for record in records
        if record["config"]["data"]["holdout"]
    }
    (run,) = [record for record in records if not record["config"]["data"]["holdout"]]
    best = max(trials, key=lambda rate: trials[rate]["map_class"] + trials[rate]["map_sample"])
    assert len(trials) == 2
    assert run["config"]["optim"]["head_lr"] == best
    assert run["config"]["optim"]["backbone_lr"] == best / 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine", "loss.way=rows"], "loss.way=rows: expected one of"),
        (["mine", "epohcs=3"], "did you mean epochs?"),
        (["table1", "dataset=digits", "hydra/launcher=slurn"], "slurn"),
        ([], "which table?"),
    ],
)
def test_mistakes_are_told_before_anything_runs(words, said, tmp_path, config_dir, capsys):
    assert main(["reproduce", *words, "--config-dir", str(config_dir), f"runs_dir={tmp_path}"]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_diverges_at_every_rate_is_told_and_not_tried_again(tmp_path, config_dir, capsys):
    words = ["loss.way=both", "precision=fp32", "search.lr=[1e29,1e30]"]
    for number in (1, 2):
        assert main(command(tmp_path, config_dir, *words)) == 1
        error = capsys.readouterr().err
        assert "way both: it diverges at every rate of search.lr" in error
        assert ("to go" in error) == (number == 1)


def test_the_precision_of_other_machines_is_to_be_said(tmp_path, config_dir, capsys):
    assert main(command(tmp_path, config_dir, "hydra/launcher=submitit_slurm", "--dry-run")) == 2
    assert "Say precision=bf16" in capsys.readouterr().err


def test_a_rate_that_diverges_is_no_failure_where_another_one_does_not(tmp_path, config_dir, capsys):
    words = ["loss.way=both", "precision=fp32", "search.lr=[0.1,1e30]"]
    assert main(command(tmp_path, config_dir, *words)) == 0
    assert "way both: 0.1, at the edge of the list; diverged at 1e+30." in table(tmp_path)
    capsys.readouterr()
    assert main(command(tmp_path, config_dir, *words)) == 0
    assert "to go" not in capsys.readouterr().err
    assert sorted(record["status"] for record in records(tmp_path)) == ["diverged", "finished", "finished"]
