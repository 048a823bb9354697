"""The identity of a run: what decides its result, and nothing else."""

import dataclasses
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from margin_bench.compose import check
from margin_bench.config import configs_dir, register_resolvers, run_id, typed
from margin_bench.errors import ConfigError, DataError


def config(*overrides):
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        return typed("train", compose("train", ["precision=fp32", *overrides]))


def test_the_papers_protocol_is_what_coco_trains_by():
    coco = config("loss=twoway", "dataset=coco")
    assert (coco.backbone.library, coco.backbone.name, coco.backbone.pretrained) == ("torchvision", "resnet50", True)
    assert coco.transforms["image_size"] == 224
    assert (coco.epochs, coco.batch_size, coco.bucket_size, coco.microbatch_size) == (40, 512, 128, 128)
    assert dataclasses.asdict(coco.optim) == {
        "head_lr": 0.01,
        "backbone_lr": 0.001,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-4,
    }
    loss = {key: coco.loss[key] for key in ("positive_temperature", "negative_temperature", "way", "logit_bias")}
    assert loss == {"positive_temperature": 4.0, "negative_temperature": 1.0, "way": "both", "logit_bias": 0.0}


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
    with pytest.raises(DataError, match="cannot be read"):
        run_id(config(f"backbone.weights={tmp_path / 'missing'}"))


def test_the_identity_is_the_same_in_every_process():
    overrides = ["precision=fp32", "seed=1"]
    code = (
        "from hydra import compose, initialize_config_dir\n"
        "from margin_bench.config import *\n"
        "register_resolvers()\n"
        "with initialize_config_dir(str(configs_dir()), version_base='1.3'):\n"
        f"    print(run_id(typed('train', compose('train', {overrides}))))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == run_id(config(*overrides))


@pytest.mark.parametrize("loss", ["circle", "arcface", "cosface", "triplet", "contrastive"])
def test_a_loss_that_measures_cosines_brings_their_head_and_its_scale(loss):
    trained = config(f"loss={loss}", "backbone.scale=32")
    assert (trained.backbone.head, trained.backbone.learn_scale) == ("cosine", False)
    assert trained.loss["logit_scale"] == trained.backbone.scale == 32


def test_every_other_loss_has_a_linear_head_unless_asked():
    assert config().backbone.head == "linear"
    assert config("backbone.head=cosine").backbone.head == "cosine"
    assert config("loss=ge2e").backbone.learn_scale


@pytest.mark.parametrize("wrong", ["backbone.head=linear", "backbone.learn_scale=true", "loss.logit_scale=30"])
def test_a_loss_that_measures_cosines_cannot_do_without_them(wrong):
    with pytest.raises(ConfigError, match=r"loss=arcface measures cosines: it needs backbone.head=cosine"):
        check("train", ["loss=arcface", wrong])


@pytest.mark.parametrize("wrong", ["backbone.head=conv", "backbone.scale=0"])
def test_a_head_is_linear_or_cosine_and_its_scale_above_zero(wrong):
    with pytest.raises(ConfigError, match=wrong):
        check("train", [wrong])
