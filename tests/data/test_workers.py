"""Runs on image files with any number of loader processes, undisturbed or killed on the way: the same weights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from margin_bench.cli import main
from tests.helpers import made
from tests.helpers.tiny_run import read_record, read_result


@pytest.fixture(params=["paper", "fast"])
def words(request, tmp_path):
    """A run of a few steps on generated JPEG files."""
    data = made.voc2007(tmp_path / "data", num_samples=32)
    return [
        *data.overrides,
        "epochs=12",
        "batch_size=16",
        "bucket_size=16",
        "microbatch_size=8",
        "backbone=timm",
        "backbone.name=test_resnet",
        "backbone.pretrained=false",
        f"transforms={request.param}",
        "transforms.image_size=32",
    ]


def train(words: list[str], runs_dir: Path, workers: int) -> int:
    return main(["train", *words, f"workers={workers}", f"runs_dir={runs_dir}"])


def kill_on_the_way(words: list[str], runs_dir: Path, workers: int) -> None:
    """Starts the run in a process of its own and kills it, with its workers, once it has saved a state."""
    command = ["train", *words, f"workers={workers}", f"runs_dir={runs_dir}"]
    run = subprocess.Popen([sys.executable, "-m", "margin_bench", *command], start_new_session=True)
    while run.poll() is None and not any(runs_dir.glob("*/checkpoints/manifest.json")):
        time.sleep(0.001)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert read_record(runs_dir)["status"] == "running"


def test_the_number_of_workers_changes_no_bit_also_of_a_run_that_was_killed(tmp_path, words):
    assert train(words, tmp_path / "none", workers=0) == 0
    assert train(words, tmp_path / "two", workers=2) == 0
    assert read_result(tmp_path / "two") == read_result(tmp_path / "none")
    kill_on_the_way(words, tmp_path / "killed", workers=2)
    assert train(words, tmp_path / "killed", workers=1) == 0
    assert read_result(tmp_path / "killed") == read_result(tmp_path / "none")
