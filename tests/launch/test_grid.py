"""Sweeps: each run once, whatever happens to it, to the sweep, or beside it; on one's own machine and in jobs."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from margin_bench.cli import main
from tests.helpers.tiny_run import LONGER, read_record, read_result, start, train, wait_until


def records(runs_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(runs_dir.glob("*/record.json"))]


def logs(runs_dir: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(runs_dir.glob("*/log.txt"))]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a process, and what it has said on stderr."""
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def test_failed_runs_are_listed_at_the_end_a_line_each_with_the_log_and_the_exit_code_is_1(tmp_path, capsys):
    sweep = ["-m", "backbone.weights=missing,null", "optim.weight_decay=0,1e+38", "epochs=1"]
    assert train(tmp_path, *sweep) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.out.count("mAP@class") == 1
    title, missing, missing_too, not_finite = captured.err.splitlines()[-4:]
    assert title == "margin-bench: 3 of 4 runs failed"
    assert missing.startswith("backbone.weights=missing optim.weight_decay=0: backbone.weights=missing cannot be read")
    assert missing_too.startswith("backbone.weights=missing optim.weight_decay=1e+38: ")
    name, _, log = not_finite.partition("; see ")
    assert name.startswith("backbone.weights=null optim.weight_decay=1e+38: the loss is nan")
    assert "the loss is nan" in Path(log).read_text(encoding="utf-8")


def test_an_error_of_ours_does_not_end_a_sweep_and_its_traceback_is_in_the_log(tmp_path, monkeypatch, capsys):
    (tmp_path / "raising_package.py").write_text(
        "def load(split, **options):\n    raise LookupError('no such thing')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert train(tmp_path, "-m", "epochs=1", "dataset._target_=raising_package.load,margin_bench.data.digits.load") == 1
    assert sorted(record["status"] for record in records(tmp_path)) == ["failed", "finished"]
    (failed,) = (log for log in logs(tmp_path) if "Traceback" in log)
    assert "raising_package.py" in failed
    assert "1 of 2 runs failed" in capsys.readouterr().err


def test_a_sweep_again_runs_only_what_is_not_finished(tmp_path):
    assert train(tmp_path, "-m", "seed=0,1", "epochs=1") == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*")}
    assert len(before) > 2
    assert train(tmp_path, "-m", "seed=0,1", "epochs=1") == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*")} == before


def test_two_sweeps_over_one_grid_run_each_cell_once(tmp_path):
    sweeps = [start(tmp_path, "-m", "seed=0,1,2", "epochs=2") for _ in range(2)]
    for sweep in sweeps:
        exit_code, said = ended(sweep)
        assert exit_code == 0, said
    assert [record["status"] for record in records(tmp_path)] == ["finished"] * 3
    assert [log.count("epoch 1/2") for log in logs(tmp_path)] == [1] * 3
    assert not any("going on" in log for log in logs(tmp_path))


def test_a_run_that_another_process_leaves_unfinished_is_taken_over_at_the_end(tmp_path):
    other = start(tmp_path, *LONGER, "seed=0")
    wait_until(lambda: list(tmp_path.glob("*/checkpoints/manifest.json")))
    other.send_signal(signal.SIGSTOP)  # it holds the lock, and does nothing
    sweep = start(tmp_path, "-m", *LONGER, "seed=0,1")
    assert sweep.stderr is not None
    said = iter(sweep.stderr.readline, "")
    assert any("waiting for runs that other processes work on: 1" in line for line in said)
    assert sorted(record["status"] for record in records(tmp_path)) == ["finished", "running"]
    os.killpg(other.pid, signal.SIGKILL)
    other.communicate()
    exit_code, _ = ended(sweep)
    assert exit_code == 0
    assert [record["status"] for record in records(tmp_path)] == ["finished"] * 2
    assert sum("going on at epoch" in log for log in logs(tmp_path)) == 1


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_ends_a_whole_sweep(tmp_path, number, exit_code):
    sweep = start(tmp_path, "-m", "seed=0,1", "epochs=300", "evaluate_every=300")
    wait_until(lambda: list(tmp_path.glob("*/checkpoints/*.pt")))
    sweep.send_signal(number)
    ended_with, said = ended(sweep)
    assert ended_with == exit_code
    assert "Traceback" not in said
    assert read_record(tmp_path)["status"] == "stopped"  # the one run that was begun


def test_a_finished_run_is_scored_again_in_several_ways_by_one_sweep(finished_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "-m", f"run={finished_run}", "split=test,train"]) == 0
    said = capsys.readouterr().out
    assert f"saved scores of the test split, last epoch of {finished_run}" in said
    assert f"train split, last epoch of {finished_run}" in said
    assert {path.name for path in tmp_path.iterdir()} <= {"runs"}


JOBS = ["-m", "hydra/launcher=submitit_local"]


def tasks_of(runs_dir: Path) -> list[int]:
    """The processes that submitit has started for the jobs of a sweep."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if "submitit.core._submit" in words and any(word.startswith(str(runs_dir)) for word in words):
            found.append(int(path.parent.name))
    return found


def holds_open(pid: int, path: Path) -> bool:
    return any(opened.resolve() == path for opened in Path(f"/proc/{pid}/fd").iterdir())


def test_a_job_that_is_preempted_is_requeued_and_ends_as_the_unbroken_run(longer_run, tmp_path):
    sweep = start(tmp_path, *JOBS, *LONGER)
    wait_until(lambda: list(tmp_path.glob("*/checkpoints/manifest.json")))
    (task,) = tasks_of(tmp_path)
    os.kill(task, signal.SIGUSR2)  # what submitit listens to
    exit_code, said = ended(sweep)
    assert exit_code == 0, said
    (log,) = logs(tmp_path)
    assert log.index("preempted; the state is saved") < log.index("going on at epoch")
    assert read_result(tmp_path) == read_result(longer_run)


def test_a_run_that_fails_in_a_job_is_listed_as_any_other(tmp_path):
    exit_code, said = ended(start(tmp_path, *JOBS, "backbone.weights=missing"))
    assert exit_code == 1
    assert said.splitlines()[1].startswith("margin-bench: the run failed")
    assert "missing cannot be read" in said.splitlines()[2]


def test_a_run_whose_job_is_killed_is_listed_and_the_others_are_done(tmp_path):
    sweep = start(tmp_path, *JOBS, *LONGER, "seed=0,1")
    wait_until(lambda: list(tmp_path.glob("*-seed0-*/record.json")))
    (task,) = (pid for pid in tasks_of(tmp_path) if holds_open(pid, next(tmp_path.glob("*-seed0-*/.lock"))))
    os.kill(task, signal.SIGKILL)
    exit_code, said = ended(sweep)
    assert exit_code == 1
    title, killed = said.splitlines()[-2:]
    assert title == "margin-bench: 1 of 2 runs failed"
    assert killed.startswith("seed=0: its job ended without a result")
    assert sorted(record["status"] for record in records(tmp_path)) == ["finished", "running"]
