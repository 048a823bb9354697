"""`train` and `evaluate` in front of Hydra: its options, and what becomes of its errors."""

import subprocess
import sys

import pytest

from margin_bench.cli import main
from margin_bench.config.sources import configs_dir


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_help_shows_the_comment_beside_a_key(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"margin-bench {command} " in shown
    lines = {line.strip() for line in shown.splitlines()}
    source = (configs_dir() / f"{command}.yaml").read_text(encoding="utf-8")
    comment = {"train": "rows of one loss value", "evaluate": "last or best epoch"}[command]
    assert f"# {comment}" in source
    assert any(line.endswith(f"  # {comment}") for line in lines)


def test_what_a_run_would_use_is_shown_without_a_run(tmp_path, capsys):
    assert main(["train", "--cfg", "job", f"runs_dir={tmp_path}", "seed=7"]) == 0
    assert "\nseed: 7\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--nonsense"], "unknown option --nonsense"),
        (["train", "-m", "--cfg", "job", "seed=1,2"], "--multirun and --cfg do not go together"),
        (["train", "--resolve"], "--resolve is for --cfg"),
        (["train", "seed=1,2"], "several values make a sweep, which wants -m"),
        (["train", "--config-dir", "nowhere"], "nowhere is no folder"),
        (["train", "--config-name", "evaluate"], "train has its own configuration: leave out --config-name"),
        (["train", "hydra.mode=MULTIRUN"], "hydra.mode=MULTIRUN: leave it out; a sweep wants -m"),
        (["train", "="], "'=': expected KEY=VALUE"),
        (["evaluate"], "run"),
        (["evaluate", "run=a", "splt=test"], "did you mean split?"),
    ],
)
def test_mistakes_are_told(words, said, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_options_may_stand_between_overrides(capsys):
    assert main(["train", "seed=7", "--cfg", "job", "epochs=3"]) == 0
    shown = capsys.readouterr().out
    assert "epochs: 3" in shown
    assert "seed: 7" in shown


def test_a_reader_who_has_gone_is_no_error_in_the_help_either():
    process = subprocess.Popen(
        [sys.executable, "-m", "margin_bench", "train", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (0, b"")
