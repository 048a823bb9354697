"""Launchers: what they give to a run, and what is told of the jobs that failed."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.plugins import Plugins

from margin_bench.cli import main
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError
from margin_bench.launch.job import Outcome
from margin_bench.launch.launcher import failures, num_processes


def test_a_failed_job_is_a_line_with_the_cause_and_the_log(tmp_path):
    (tmp_path / "log.txt").write_text("", encoding="utf-8")
    outcomes = {
        "seed=0": Outcome(run_dir=tmp_path),
        "seed=1": Outcome(5, "the loss is nan.\nLower the rates.", tmp_path),
        "seed=2": Outcome(3, "no images.", tmp_path / "never_begun"),
        "seed=3": Outcome(2, "no such loss"),
    }
    assert failures(outcomes.items()) == [
        f"seed=1: the loss is nan; see {tmp_path / 'log.txt'}",
        "seed=2: no images",
        "seed=3: no such loss",
    ]


def test_a_launcher_may_give_a_run_processes_of_its_own():
    assert num_processes(["hydra/launcher=slurm_4gpu"], Sources()) == 4
    assert num_processes(["hydra/launcher=slurm_4gpu", "hydra.launcher.nodes=2"], Sources()) == 8
    assert num_processes(["hydra/launcher=submitit_local"], Sources()) is None
    assert num_processes([], Sources()) is None
    with pytest.raises(ConfigError, match="did you mean submitit_local"):
        num_processes(["hydra/launcher=submitit_lokal"], Sources())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/launcher=slurm_4gpu", "batch_size=64", "bucket_size=64", "microbatch_size=32"], "64 over 4"),
        (["hydra/launcher=submitit_local", "hydra.launcher.nodes=2"], "can use only one node"),
        (["hydra/launcher=submitit_slurm"], "hydra/launcher=submitit_slurm needs Slurm"),
        (["hydra/sweeper=basic"], "goes through the grid itself"),
        (["hydra.launcher.partition=gpu"], "hydra.launcher.partition"),
    ],
)
def test_what_does_not_fit_the_launcher_is_a_mistake_of_the_configuration(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.setattr("shutil.which", lambda program: None)  # no Slurm
    assert main(["train", "-m", f"runs_dir={tmp_path / Path('runs')}", "seed=0,1", *words]) == 2
    assert said in capsys.readouterr().err


def test_srun_is_told_the_number_of_cpus_which_it_does_not_take_from_the_job(tmp_path, monkeypatch, capsys):
    (tmp_path / "srun").touch(0o755)
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\ncat "$1" > {tmp_path}/script.sh\nexit 1\n', encoding="utf-8")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    words = [
        "hydra/launcher=slurm_4gpu",
        "hydra.launcher.tasks_per_node=1",
        f"runs_dir={tmp_path / 'runs'}",
        "seed=0,1",
    ]
    assert main(["train", "-m", *words]) == 1
    said = capsys.readouterr().err
    assert "the launcher has given up: Command '['sbatch'" in said
    assert "Traceback" not in said
    script = (tmp_path / "script.sh").read_text(encoding="utf-8").splitlines()
    assert script.index("#SBATCH --cpus-per-task=8") < script.index("export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK")


def test_a_launcher_that_gives_up_is_told_of(tmp_path, monkeypatch, capsys):
    def lost(*args, **options):
        raise RuntimeError("Slurm does not answer")

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *args, **more: SimpleNamespace(launch=lost))
    assert main(["train", "-m", f"runs_dir={tmp_path}", "seed=0,1"]) == 1
    said = capsys.readouterr().err
    assert "the launcher has given up: Slurm does not answer" in said
    assert len(said.splitlines()) == 3
