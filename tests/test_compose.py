"""Mistakes on the command line: all of them at once, each with what to change."""

import pytest

from margin_bench.compose import check
from margin_bench.errors import ConfigError


def mistakes(*overrides, command="train", **more):
    with pytest.raises(ConfigError) as caught:
        check(command, overrides, **more)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["dataset=coco", "dataset.root=/data/coco"],
        ["loss.positive_temperature=0", "loss.way=joint"],
        ["batch_size=64", "bucket_size=64", "microbatch_size=16"],
        ["loss.positive_temperature=1,2,4", "seed=range(3)"],
        ["backbone=timm", "backbone.name=vit_tiny_patch16_224", "+backbone.options.img_size=64"],
        ["experiment=quick", "epochs=2"],
        ["loss=own", "loss._target_=my_package.MyLoss", "+loss.gamma=2"],
        ["loss=criterion", "loss.function=my_package.my_criterion", "loss.way=class", "+loss.parameters.gamma=2"],
        ["loss=bce"],
    ],
)
def test_good_overrides_pass(overrides):
    check("train", overrides)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epcohs=3", ["no key epcohs", "did you mean epochs?"]),
        ("optim.head_Ir=1", ["no key optim.head_Ir", "optim.head_lr"]),
        ("loss=towway", ["no loss towway", "did you mean twoway?", "known: "]),
        ("loss.T=3", ["no key loss.T"]),
        ("loss.way=rows", ["loss.way=rows", "one of sample, class, both, joint"]),
        ("loss=own", ["loss._target_ is needed"]),
        ("loss=criterion", ["loss.function is needed"]),
        ("loss.positive_temperature=-1", ["a number of at least 0"]),
        ("loss.positive_temperature=nan", ["a number of at least 0"]),
        ("loss.positive_temperature=warm", ["a number of at least 0"]),
        ("optim.head_lr=-0.1", ["optim.head_lr=-0.1", "a number of at least 0"]),
        ("epochs=0", ["a number of at least 1"]),
        ("epochs=2.5", ["epochs=2.5: expected a number of at least 1"]),
        ("epochs=many", ["epochs=many: expected a number of at least 1"]),
        ("optim.nesterov=maybe", ["expected bool"]),
        ("precision=fp64", ["one of auto, fp32, bf16, fp16"]),
        ("tracker=mlflow", ["one of none, wandb, tensorboard"]),
        ("dataset.num_train=none", ["dataset.num_train=none"]),
        ("+foo=1", ["foo: there is no such key"]),
        ("+optim.beta=1", ["optim.beta: there is no such key"]),
        ("epochs", ["expected key=value"]),
        ("bucket_size=100", ["bucket_size=100 does not divide batch_size=512", "64 or 128"]),
        ("bucket_size=1024", ["nearest that do: 512"]),
        ("microbatch_size=96", ["microbatch_size=96", "64 or 128"]),
        ("devices=3", ["batch_size=512 cannot be shared by 3 processes", "2 or 4"]),
        ("devices=8", ["microbatch_size=128 does not divide the 64 rows of each process"]),
    ],
)
def test_a_mistake_is_named_with_what_to_change(override, said):
    (line,) = mistakes(override)
    for part in said:
        assert part in line


@pytest.mark.parametrize("override", ["loss.way=class", "+loss.way=class"])
def test_a_point_wise_loss_has_no_way_and_says_so(override):
    (line,) = mistakes("loss=hinge", override)
    assert f"{override}: hinge is point-wise" in line
    assert "a way changes nothing" in line


def test_all_mistakes_are_reported_at_once():
    lines = mistakes("dataset=cocco", "epcohs=3", "loss.way=rows", "optim.momentum=-1", "batch_size=big")
    for part in ("cocco", "epcohs", "rows", "momentum", "big"):
        assert sum(part in line for line in lines) == 1


def test_a_wrong_value_anywhere_in_a_sweep_is_found_and_named_once():
    (line,) = mistakes("seed=0,1", "loss.way=both,rows")
    assert "loss.way=rows" in line


def test_the_processes_that_torchrun_has_started_count_instead_of_devices():
    (line,) = mistakes(num_processes=3)
    assert "3 processes" in line
    check("train", ["devices=3"], num_processes=4)


def test_a_value_that_is_needed_is_asked_for():
    assert mistakes(command="evaluate") == ["run is needed: run=VALUE"]


def test_a_folder_of_the_users_own_adds_groups_files(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\n_target_: my_package.MyLoss\ngamma: 2.0\n")
    check("train", ["loss=mine", "loss.gamma=3"], config_dir=str(tmp_path))
    (line,) = mistakes("loss=mine", "loss.gamma=wide", config_dir=str(tmp_path))
    assert "loss.gamma=wide: expected float" in line
