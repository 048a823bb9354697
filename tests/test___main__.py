"""`python -m margin_bench`."""

import subprocess
import sys

import pytest

from margin_bench import __version__


@pytest.mark.parametrize(("word", "code", "out"), [("--version", 0, f"margin-bench {__version__}\n"), ("trian", 2, "")])
def test_the_module_is_the_command(word, code, out):
    ended = subprocess.run([sys.executable, "-m", "margin_bench", word], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (code, out)
