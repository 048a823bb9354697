"""Fixtures of the whole suite."""

import os

# One thread everywhere, so that runs in this process and in others agree to the bit. torch reads it when imported.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from tiny_run import train


@pytest.fixture(scope="session", autouse=True)
def data_root(tmp_path_factory):
    """Data sets that are generated go to a folder of the session, not to the user's."""
    root = tmp_path_factory.mktemp("data")
    os.environ["MARGIN_BENCH_DATA"] = str(root)
    return root


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The directory of a finished tiny run."""
    runs_dir = tmp_path_factory.mktemp("runs")
    assert train(runs_dir) == 0
    (path,) = runs_dir.glob("*/record.json")
    return path.parent
