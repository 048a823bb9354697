"""The command line in a process of its own."""

import os
import subprocess
import sys


def run_cli(*arguments, check_modules="", **environment):
    """The command in a process of its own; asserts that none of the modules was imported."""
    code = (
        "import sys; from margin_bench.cli import main; code = main(sys.argv[1:])\n"
        f"assert not set({check_modules.split()!r}) & set(sys.modules), 'imported'\n"
        "sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )
