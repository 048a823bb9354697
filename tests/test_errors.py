"""Errors and their exit codes: one table, which the help and the README show."""

from pathlib import Path

import pytest

from margin_bench.errors import (
    AlreadyRunningError,
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    ExitCode,
    LostProcessError,
    MarginBenchError,
    RunError,
    StoppedError,
    nearest,
)
from tests.helpers.cli import run_cli

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MarginBenchError, 1),
        (ConfigError, 2),
        (DataError, 3),
        (CheckpointError, 4),
        (RunError, 5),
        (DivergedError, 5),
        (LostProcessError, 5),
        (AlreadyRunningError, 6),
    ],
)
def test_an_error_has_the_exit_code_of_its_class(error, code):
    assert error("what to change").exit_code == code


def test_an_error_may_have_the_exit_code_of_what_caused_it():
    assert StoppedError("what to change", 75).exit_code is ExitCode.PREEMPTED
    assert MarginBenchError("what to change").exit_code is ExitCode.FAILED


def test_the_readme_shows_the_table_of_exit_codes():
    rows = [f"| {code} | {code.meaning} |" for code in ExitCode]
    table = "\n".join(["| exit code | meaning |", "|---|---|", *rows, ""])
    assert f"\n{table}\n" in README.read_text(encoding="utf-8")


def test_the_help_shows_the_table_of_exit_codes():
    shown = run_cli("--help").stdout.split("exit codes:\n")[1]
    assert [tuple(line.split(maxsplit=1)) for line in shown.splitlines()] == [
        (str(int(code)), code.meaning) for code in ExitCode
    ]


def test_names_that_look_alike_are_offered():
    assert nearest("epcohs", ["epochs", "seed"]) == "; did you mean epochs?"
    assert nearest("losses", ["losses", "loss", "lose"]) == "; did you mean losses or loss or lose?"
    assert nearest("xyz", ["epochs", "seed"]) == ""
