"""Tasks: what a command does with one configuration, and the run that it makes by that."""

import pytest

from margin_bench.config.compose import composed
from margin_bench.config.sources import Sources
from margin_bench.launch.task import TASKS, Evaluate, Train
from tests.helpers.tiny_run import TINY


def config(command, *overrides):
    return composed(command, overrides, Sources())


def test_a_training_names_its_run_before_it_begins(tmp_path):
    task = Train(config("train", "seed=3", "precision=fp32", f"runs_dir={tmp_path}/runs"))
    assert task.run_dir is not None
    assert task.run_dir.parent == tmp_path / "runs"
    assert "-seed3-" in task.run_dir.name
    assert not list(tmp_path.iterdir())


def test_the_precision_of_this_machine_is_part_of_the_name(tmp_path):
    automatic = Train(config("train", f"runs_dir={tmp_path}"))
    assert automatic.config.precision != "auto"
    given = Train(config("train", f"runs_dir={tmp_path}", f"precision={automatic.config.precision}"))
    assert automatic.run_dir == given.run_dir


def test_a_finished_run_is_only_shown(finished_run, capsys):
    words = [*TINY, f"runs_dir={finished_run.parent}"]
    before = (finished_run / "record.json").stat().st_mtime_ns
    Train(config("train", *words)).do()
    said = capsys.readouterr()
    assert said.err == "this run is finished already\n"
    assert f"epoch 4 of {finished_run}" in said.out
    assert (finished_run / "record.json").stat().st_mtime_ns == before


def test_of_a_finished_run_on_a_moved_data_set_is_said_where_the_data_was(finished_run, tmp_path, capsys):
    Train(config("train", *TINY, f"runs_dir={finished_run.parent}", f"dataset.root={tmp_path}")).do()
    assert capsys.readouterr().err.startswith("this run is finished already, with the data in ")


def test_a_finished_run_is_shown_by_the_first_process_alone(finished_run, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    Train(config("train", *TINY, f"runs_dir={finished_run.parent}")).do()
    assert capsys.readouterr() == ("", "")


def test_an_evaluation_makes_no_run(finished_run, capsys):
    task = Evaluate(config("evaluate", f"run={finished_run}"))
    assert task.run_dir is None
    task.do()
    assert "mAP@class" in capsys.readouterr().out


@pytest.mark.parametrize("command", TASKS)
def test_every_task_has_a_configuration_of_its_name(command):
    assert config(command, *(["run=one"] if command == "evaluate" else []))
