"""What the user sees of a line, of an error, and of the exit code."""

import errno
import operator
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from margin_bench.errors import DataError, StoppedError
from margin_bench.runtime.console import counted, exit_code_of, say


def fail(error):
    raise error


@pytest.mark.parametrize(("error", "code"), [(DataError("no image"), 3), (StoppedError("no image", 75), 75)])
def test_an_error_of_the_user_is_a_message_and_a_code(capsys, error, code):
    assert exit_code_of(fail, error) == code
    assert capsys.readouterr().err == "margin-bench: no image\n"


def test_success_and_interruption_have_codes_and_our_own_errors_go_through(capsys):
    assert exit_code_of(lambda: None) == 0
    assert exit_code_of(fail, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "margin-bench: interrupted\n"
    with pytest.raises(ZeroDivisionError):
        exit_code_of(operator.truediv, 1, 0)  # not a line of a user's file


def test_an_error_in_a_users_file_is_shown_from_there_on(capsys):
    assert exit_code_of(fail, ZeroDivisionError("mine")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["margin-bench: an error in code of your own", "Traceback (most recent call last):"]
    assert __file__ in lines[2]
    assert lines[-1] == "ZeroDivisionError: mine"


def test_a_process_among_several_says_which_it_is(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    exit_code_of(fail, DataError("no such file"))
    assert capsys.readouterr().err == "margin-bench [process 3]: no such file\n"


def test_a_line_goes_to_stdout_unless_told_otherwise(capsys):
    say("a table")
    say("a remark", sys.stderr)
    assert capsys.readouterr() == ("a table\n", "a remark\n")


def test_a_line_of_several_rows_is_written_in_one_piece():
    pieces: list[str] = []
    say("first\nsecond", SimpleNamespace(write=pieces.append, flush=lambda: None))
    assert pieces == ["first\nsecond\n"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_has_gone_is_no_error(stream):
    reading, writing = os.pipe()
    os.close(reading)
    other = "stderr" if stream == "stdout" else "stdout"
    code = (
        "import sys; from margin_bench.runtime.console import exit_code_of, say\n"
        f"sys.exit(exit_code_of(lambda: [say(str(number), sys.{stream}) for number in range(9)]))"
    )
    streams = {stream: writing, other: subprocess.PIPE}
    done = subprocess.run([sys.executable, "-c", code], text=True, **streams)
    os.close(writing)
    assert done.returncode == 0
    assert not getattr(done, other)


def test_a_number_stands_with_one_or_several():
    assert counted(1, "row") == "1 row"
    assert counted(0, "row") == "0 rows"
    assert counted(2000, "class", "classes") == "2,000 classes"


def test_what_the_memory_cannot_hold_is_a_message_and_a_code(capsys):
    assert exit_code_of(fail, MemoryError()) == 5
    assert capsys.readouterr().err.startswith("margin-bench: no memory left\nLower microbatch_size")


@pytest.mark.parametrize(("number", "code"), [(errno.ENAMETOOLONG, 2), (errno.ENOSPC, 4), (errno.EMFILE, 5)])
def test_what_the_system_refuses_is_a_message_and_a_code(capsys, number, code):
    assert exit_code_of(fail, OSError(number, os.strerror(number), "a" * 300)) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"margin-bench: {os.strerror(number)}: 'aaa")
    assert len(line) < 200


def test_what_the_locale_cannot_say_is_escaped():
    code = "from margin_bench.runtime.console import say; say('K\u00e4tzchen')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "K\\xe4tzchen\n")


def test_a_closed_stdout_is_nobody_who_reads():
    code = "import sys; sys.stdout = None; from margin_bench.runtime.console import say; say('a table')"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
