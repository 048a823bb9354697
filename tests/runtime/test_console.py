"""What the user sees of an error, and the exit code."""

import pytest

from margin_bench.errors import (
    AlreadyRunningError,
    CheckpointError,
    ConfigError,
    DataError,
    RunError,
    StoppedError,
    nearest,
)
from margin_bench.runtime.console import exit_code_of, say


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("what to change"), 2),
        (DataError("what to change"), 3),
        (CheckpointError("what to change"), 4),
        (RunError("what to change"), 5),
        (AlreadyRunningError("what to change"), 6),
        (StoppedError("what to change", 75), 75),
    ],
)
def test_a_users_error_is_a_message_and_a_code(capsys, error, code):
    assert exit_code_of(fail, error) == code
    assert capsys.readouterr().err == "margin-bench: what to change\n"


def test_success_and_interruption_have_codes_and_our_own_errors_go_through():
    assert exit_code_of(lambda: None) == 0
    assert exit_code_of(fail, KeyboardInterrupt()) == 130
    with pytest.raises(ZeroDivisionError):
        exit_code_of(fail, ZeroDivisionError())


def test_a_process_among_several_says_which_it_is(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    exit_code_of(fail, DataError("no such file"))
    assert capsys.readouterr().err == "margin-bench [process 3]: no such file\n"


def test_nearest_names():
    assert nearest("epcohs", ["epochs", "seed"]) == "; did you mean epochs?"
    assert nearest("xyz", ["epochs", "seed"]) == ""


def test_a_line_is_said_on_stdout(capsys):
    say("hello")
    assert capsys.readouterr().out == "hello\n"
