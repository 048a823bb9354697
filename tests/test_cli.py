"""The command line, as a user types it."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

from margin_bench import commands
from margin_bench.cli import COMMANDS, OF_HYDRA, main
from margin_bench.launch.task import TASKS
from tests.helpers.cli import run_cli


def test_help_names_the_commands_and_imports_nothing_heavy():
    done = run_cli("--help", check_modules="torch hydra numpy")
    assert done.returncode == 0
    assert "train" in done.stdout
    assert "evaluate" in done.stdout


def test_a_mistake_in_the_configuration_ends_before_torch_is_imported():
    done = run_cli("train", "epcohs=3", "loss.way=rows", check_modules="torch")
    assert done.returncode == 2
    assert "did you mean epochs?" in done.stderr
    assert "loss.way=rows" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_of_a_command_shows_its_groups_and_keys():
    done = run_cli("train", "--help", check_modules="torch")
    assert done.returncode == 0
    for part in ("dataset: coco, csv, digits", "twoway, ", "bucket_size: 128"):
        assert part in done.stdout


def test_cfg_shows_what_a_run_would_use():
    done = run_cli("train", "--cfg", "job", "dataset=coco", check_modules="torch")
    assert done.returncode == 0
    assert "name: resnet50" in done.stdout
    assert run_cli("train", "--cfg", "job", "dataset=cocco").returncode == 2


def test_the_module_and_the_version():
    done = subprocess.run(
        [sys.executable, "-m", "margin_bench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("margin-bench 0.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "did you mean train?"),
        (["tables", "--fromat", "csv"], "unknown option --fromat; did you mean --format?"),
        (["losses", "focl"], "did you mean focal?"),
        (["losses", "focal", "loss.gamma=1"], "takes one name"),
        (["losses", "focal", "--config-dir", "mine"], "mine is no folder"),
    ],
)
def test_unknown_words_are_usage_errors(capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 0
    assert "usage: margin-bench" in capsys.readouterr().out


def test_every_command_has_its_module_and_every_module_of_a_command_its_line():
    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    own = {name for name in modules if hasattr(importlib.import_module(f"{commands.__name__}.{name}"), "add_arguments")}
    assert own == set(COMMANDS) - set(OF_HYDRA)
    assert set(TASKS) == set(OF_HYDRA)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(OF_HYDRA)))
def test_the_help_of_a_command_shows_its_words_and_options(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    usage, _, summary, *_ = shown.splitlines()
    assert usage.startswith(f"usage: margin-bench {command} ")
    assert summary.lower() == f"{COMMANDS[command]}.".lower()
    assert "\noptions:\n  -h, --help" in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_the_catalogue_of_losses_is_shown_without_torch_or_hydra():
    done = run_cli("losses", check_modules="torch hydra")
    assert done.returncode == 0, done.stderr
    assert "softplus(" in done.stdout
    assert "which one?" in done.stdout


def test_one_loss_is_shown_by_its_name(capsys):
    assert main(["losses", "focal"]) == 0
    assert "loss.gamma=2.0" in capsys.readouterr().out


def test_a_way_of_a_point_wise_loss_is_a_mistake_told_before_torch_is_imported():
    done = run_cli("train", "loss=bce", "loss.way=class", check_modules="torch")
    assert done.returncode == 2
    assert "bce is point-wise" in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("margin-bench losses soft", "soft_margin"),
        ("margin-bench tr", "train"),
        ("margin-bench ", "compare"),
        ("margin-bench tables --fo", "--format"),
        ("margin-bench tables --format la", "latex"),
        ("margin-bench data pre", "prepare"),
        ("margin-bench data check coc", "coco"),
        ("margin-bench train data", "dataset="),
        ("margin-bench reproduce tab", "table1"),
        ("margin-bench train dataset=", "dataset=digits"),
        ("margin-bench evaluate spl", "split="),
    ],
)
def test_the_shell_completes_commands_groups_and_keys(line, expected):
    done = run_cli("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line)), check_modules="torch")
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout.split()


def test_the_completion_script_is_for_this_program():
    done = run_cli("-sc", "install=bash")
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("-F hydra_bash_completion margin-bench")
