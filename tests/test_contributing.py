"""The examples of CONTRIBUTING.md, typed into a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
# A path on a line of its own, and below it what the file says.
FILES = dict(
    re.findall(
        r"^`([\w/.]+)`[^\n]*:\n\n```\w+\n(.*?)^```",
        (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with the files of the examples."""
    copy = tmp_path_factory.mktemp("project")
    for folder in ("margin_bench", "configs", "tests"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for path, content in FILES.items():
        existing = (copy / path).read_text(encoding="utf-8") if (copy / path).exists() else content
        assert existing == content, f"{path} is there already"
        (copy / path).write_text(content, encoding="utf-8")
    return copy


def run(copy, *words):
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_a_loss_and_a_data_set_are_three_files_each_a_metric_two_and_a_table_one():
    assert [Path(path).stem.removeprefix("test_") for path in FILES] == [
        *["mean_gap"] * 3,
        *["stripes"] * 3,
        *["perfect_order"] * 2,
        "margins",
    ]


def test_modules_pass_their_tests_examples_and_contracts(copy):
    modules = [path for path in FILES if path.endswith(".py")]
    contracts = ["tests/losses/test_contract.py", "tests/metrics/catalogue/test_contract.py"]
    names = "mean_gap or stripes or perfect_order"
    tested = run(copy, "pytest", "-n0", "-q", *modules, *contracts, "-k", names)
    assert tested.returncode == 0, tested.stdout


def test_the_table_is_shown(copy):
    shown = run(copy, "margin_bench", "tables", "margins")
    assert shown.returncode == 0, shown.stderr
    assert "| weston_watkins | missing | missing | missing |" in shown.stdout
