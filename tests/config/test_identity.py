"""The identity of a run: what decides its result, and nothing else."""

import dataclasses
import hashlib
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from margin_bench.config.identity import files_sha256, run_id
from margin_bench.config.schema import configs_dir, register_resolvers, typed
from margin_bench.errors import DataError


def config(*overrides):
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        return typed("train", compose("train", ["precision=fp32", *overrides]))


@pytest.mark.parametrize(
    "override",
    ["workers=3", "devices=4", "runs_dir=/elsewhere", "tracker=wandb", "dataset.root=/data", "evaluate_every=2"],
)
def test_what_cannot_change_the_result_is_no_part_of_the_identity(override):
    assert run_id(config(override)) == run_id(config())


@pytest.mark.parametrize(
    "override",
    ["seed=1", "loss.way=class", "epochs=3", "microbatch_size=64", "precision=bf16", "dataset.num_train=1000"],
)
def test_what_can_change_the_result_is(override):
    assert run_id(config(override)) != run_id(config())


def test_the_name_is_readable():
    assert run_id(config("seed=3", "loss.way=class")).startswith("digits-test_resnet-twoway-class-seed3-")


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("dataset.name=../../x", ".._.._x-test_resnet-twoway-"),
        ("dataset.name=..", "__-test_resnet-"),
        ("backbone.name=a/b", "digits-a_b-twoway-"),
        ("loss.name='a b\u00e9'", "digits-test_resnet-a_b_-both-"),
    ],
)
def test_the_name_is_a_file_name_whatever_the_parts_are(override, start):
    assert run_id(config(override)).startswith(start)


def test_weights_count_by_content_not_by_path(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (run_id(config(f"backbone.weights={tmp_path / name}")) for name in "abc")
    assert a == b
    assert a != c
    named = dataclasses.asdict(config(f"backbone.weights={tmp_path / 'a'}"))
    assert files_sha256(named) == {"backbone.weights": hashlib.sha256(b"1").hexdigest()}
    with pytest.raises(DataError, match="cannot be read"):
        run_id(config(f"backbone.weights={tmp_path / 'missing'}"))


def test_the_identity_is_the_same_in_every_process():
    overrides = ["precision=fp32", "seed=1"]
    code = (
        "from hydra import compose, initialize_config_dir\n"
        "from margin_bench.config.schema import *; from margin_bench.config.identity import run_id\n"
        "register_resolvers()\n"
        "with initialize_config_dir(str(configs_dir()), version_base='1.3'):\n"
        f"    print(run_id(typed('train', compose('train', {overrides}))))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == run_id(config(*overrides))
