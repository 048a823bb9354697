"""The command line, as a user types it."""

import importlib
import os
import pkgutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from margin_bench import commands
from margin_bench.cli import COMMANDS, OF_HYDRA, main
from margin_bench.launch.task import TASKS
from tests.helpers.cli import run_cli

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["losses"],
        ["losses", "twoway"],
        ["data", "list"],
        ["data", "--help"],
        ["train", "--help"],
        ["train", "--cfg", "job"],
        ["tables", "table1"],
    ],
)
def test_output_to_a_full_disk_is_told_in_a_line_and_code_1(line, tmp_path):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "margin_bench", *line],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    assert (done.returncode, done.stderr) == (
        1,
        "margin-bench: the output cannot be written: No space left on device\n",
    )


def test_a_working_folder_that_is_gone_is_told(tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["tables"]) == 2
    assert "the working folder does not exist any more" in capsys.readouterr().err


def test_without_a_home_the_folder_of_the_data_sets_is_enough(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("MARGIN_BENCH_DATA", raising=False)
    assert main(["data", "list"]) == 2
    assert capsys.readouterr().err.startswith("margin-bench: there is no home folder: set HOME, or MARGIN_BENCH_DATA")
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path))
    assert main(["data", "list"]) == 0
    assert main(["train", "--cfg", "job"]) == 0
    assert f"root: {tmp_path}" in capsys.readouterr().out or str(tmp_path) == os.environ["HOME"]


def no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK"])
@pytest.mark.parametrize("number", ["abc", "-1", "1.5", "\u0663"])
def test_a_launcher_that_says_nonsense_is_told(monkeypatch, capsys, name, number):
    monkeypatch.setenv(name, number)
    assert main(["train", "--cfg", "job"]) == 2
    assert f"{name}={number} in the environment: expected a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["loss=[[a]]"],
        ["loss=[1]"],
        ["loss=" + "a" * 300],
        ["dataset.name=" + "a" * 300],
        ["dataset.name="],
        ["loss.name=' '"],
        ["backbone.name=\u202e"],
        ["epochs=1e20"],
        ["workers=1000"],
        ["batch_size=2147483647"],
        ["dataset.num_train=1000000000000", "epochs=1"],
        ["dataset.num_train=1e12"],
        ["optim.head_lr=0", "optim.backbone_lr=0"],
        ["loss.positive_temperature=1e-320"],
        ["loss=hinge", "loss.margin=-1"],
        ["-m", "seed=range(100000000)"],
        ["-m", "seed=range(1000)", "epochs=range(1,1000)"],
        ["-m", "optim.head_lr=range(0.1,0.2,1e-12)"],
        ["--cfg", "jobb"],
        ["-sc", "install=fsh"],
        ["-sc"],
        ["backbone=timm", "backbone.name=test_resnet", "+backbone.options.output_stride=-1", "dataset.num_train=8"],
    ],
)
def test_nonsense_is_a_mistake_told_in_lines(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("margin-bench: ")
    assert "Traceback" not in said
    assert len(said) < 2000


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi")),
        "a: &a\n  b: *a\n",
        "a: [1, 2\n",
        "- " * 5000,
        "\x00\x01",
        "a" * 2_000_000,
    ],
)
def test_a_yaml_file_that_nobody_could_read_is_named(content, tmp_path, capsys):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(content, encoding="utf-8")
    assert main(["train", "--config-dir", str(tmp_path), "loss=mine", "--cfg", "job"]) == 2
    said = capsys.readouterr().err
    assert "mine.yaml" in said
    assert len(said) < 1000


def test_a_pipe_among_yaml_files_is_not_waited_for(tmp_path, capsys):
    (tmp_path / "loss").mkdir()
    os.mkfifo(tmp_path / "loss" / "mine.yaml")
    assert main(["train", "--config-dir", str(tmp_path), "loss=mine", "--cfg", "job"]) == 2
    assert "mine.yaml cannot be read" in capsys.readouterr().err


ESCAPES = "\x1b[31mred\x07"


def test_no_word_of_a_command_line_moves_the_terminal(tmp_path, capsys):
    for words in (
        ["train", f"dataset={ESCAPES}"],
        ["train", f"{ESCAPES}=1"],
        [ESCAPES],
        ["evaluate", f"run={ESCAPES}"],
        ["compare", ESCAPES, "b"],
        ["data", "check", "csv", f"dataset.file={tmp_path}/{ESCAPES}.csv"],
        ["losses", ESCAPES],
        ["tables", f"runs_dir={tmp_path}/{ESCAPES}"],
    ):
        main(words)
        told = capsys.readouterr()
        assert not {"\x1b", "\x07"} & set(told.out + told.err), words


def test_names_of_classes_and_files_move_no_terminal(tmp_path, capsys):
    (tmp_path / "labels.csv").write_text(f"file,{ESCAPES},b\n{ESCAPES}.jpg,1,0\nx.jpg,0,1\n", encoding="utf-8")
    words = [f"dataset.file={tmp_path}/labels.csv", f"dataset.root={tmp_path}", "dataset.split_column=none"]
    main(["data", "check", "csv", *words])
    main(["train", "dataset=csv", *words, "data.holdout=0.5", f"runs_dir={tmp_path}/runs"])
    told = capsys.readouterr()
    assert "red" in told.out + told.err
    assert not {"\x1b", "\x07"} & set(told.out + told.err)
    for log in tmp_path.glob("runs/*/log.txt"):
        assert "\x1b" not in log.read_text(encoding="utf-8")
