"""Fixtures of the whole suite."""

import os

# One thread everywhere, so that runs in this process and in others agree to the bit. torch reads it when imported.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.tiny_run import LONGER, end_all, train

# How long an example takes says more about the machine than about the code.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")


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


@pytest.fixture(scope="session")
def longer_run(tmp_path_factory):
    """The folder of a longer run that nothing disturbed."""
    runs_dir = tmp_path_factory.mktemp("longer")
    assert train(runs_dir, *LONGER) == 0
    return runs_dir


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    end_all()
