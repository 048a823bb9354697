"""Mistakes on the command line: all of them at once, each with what to change."""

import contextlib
import importlib.metadata

import hydra
import pytest

from margin_bench.config.compose import Composer, check, grid
from margin_bench.config.hydra_internals import parse_override
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError

OURS = Sources()


def mistakes(*overrides, command="train", sources=OURS, **more):
    with pytest.raises(ConfigError) as caught:
        check(command, overrides, sources, **more)
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
        ["optim.momentum=0", "optim.nesterov=false"],
        ["workers=null", "backbone.weights=null"],
        ["runs_dir='/data/a=b [c]'"],
    ],
)
def test_good_overrides_pass(overrides):
    check("train", overrides, OURS)


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
        ("epochs", ["epochs: expected key=value"]),
        ("runs_dir=/data/a=b", ["such a value stands in quotes, \"runs_dir='/data/a=b'\""]),
        ("bucket_size=100", ["bucket_size=100 does not divide batch_size=512", "64 or 128"]),
        ("bucket_size=1024", ["nearest that do: 512"]),
        ("microbatch_size=96", ["microbatch_size=96", "64 or 128"]),
        ("devices=3", ["batch_size=512 cannot be shared by 3 processes", "2 or 4"]),
        ("devices=8", ["microbatch_size=128 does not divide the 64 rows of each process"]),
        ("loss=null", ["there is no loss null", "known: ", "twoway"]),
        ("dataset=null", ["there is no dataset null", "known: coco, csv, digits"]),
        ("~loss", ["loss is needed"]),
        ("~epochs", ["epochs is needed"]),
        ("hydrant=1", ["there is no key hydrant"]),
        ("epochs.x=1", ["there is no key epochs.x"]),
        ("+epochs.x=1", ["epochs.x: there is no such key"]),
        ("+loss.way.x=1", ["loss.way.x: there is no such key"]),
        ("epochs=${oops}", ["epochs: Interpolation key 'oops' not found"]),
        ("loss.logit_bias=inf", ["loss.logit_bias=inf: expected a finite number"]),
        ("+loss.weights=[1.0,nan]", ["expected a finite number"]),
        ("loss.positive_temperature=null", ["=null: expected a number of at least 0"]),
        ("loss.name=null", ["loss.name=null: expected a name"]),
        ("dataset.num_train=null", ["=null: expected a number of at least 1"]),
        ("optim.momentum=0", ["optim.nesterov=true needs a momentum above 0"]),
        ("optim.momentum=1", ["a number of at least 0 and below 1"]),
        ("optim=null", ["optim=null: expected the keys head_lr, backbone_lr, momentum"]),
        ("seed=100000000000000000000", ["and below 9223372036854775808"]),
        ("batch_size=100000000000000000000", ["and below 1048577"]),
        ("bucket_size=1048575", ["nearest that do: 512"]),
        ("seed=range(0)", ["seed=range(0): a sweep needs values"]),
        ("seed=interval(0,1)", ["a sweep needs values"]),
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


@pytest.mark.parametrize("overrides", [["epochs=1,2", "epochs=3,4"], ["epochs=1,2", "epochs=3"]])
def test_a_key_that_a_sweep_gives_twice_is_a_mistake(overrides):
    line, unknown = mistakes("seed=0,1", *overrides, "epcohs=3")
    assert "no key epcohs" in unknown
    assert line.startswith(f"{' '.join(overrides)}: give epochs once")


def test_a_value_that_a_sweep_gives_twice_counts_once():
    assert grid(["epochs=2", "seed=0,1,0", "loss.way=both,both"], OURS) == (
        ["epochs=2"],
        [["seed=0", "loss.way=both"], ["seed=1", "loss.way=both"]],
    )


def test_a_key_that_one_value_of_a_swept_group_lacks_is_found_and_so_is_a_wrong_value_of_it_in_the_others():
    no_key, no_key_either, wrong_value = mistakes("loss=softmax,twoway", "loss.positive_temperature=1,-2")
    assert "loss.positive_temperature=1: there is no key" in no_key
    assert "loss.positive_temperature=-2: there is no key" in no_key_either
    assert "loss.positive_temperature=-2: expected a number of at least 0" in wrong_value


def test_every_cell_of_a_sweep_in_which_a_point_wise_loss_meets_a_way_is_named_and_so_is_a_typo():
    lines = mistakes("loss=bce,twoway,focal", "loss.way=both,class,rows")
    named = {line.partition(", it looks")[0] for line in lines}
    cells = {f"loss.way={way}: {loss} is point-wise" for way in ("both", "class", "rows") for loss in ("bce", "focal")}
    assert named == cells | {"loss.way=rows: expected one of sample, class, both, joint"}


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        (
            ["batch_size=96,64", "bucket_size=32,48", "microbatch_size=32"],
            "bucket_size=48 does not divide batch_size=64",
        ),
        (["loss=twoway,arcface", "backbone.head=cosine,linear"], "loss=arcface measures cosines"),
        (["optim.nesterov=false,true", "optim.momentum=0.9,0"], "optim.nesterov=true needs a momentum above 0"),
    ],
)
def test_values_that_are_wrong_only_together_are_found_in_a_sweep(sweep, said):
    (line,) = mistakes(*sweep)
    assert said in line


@pytest.mark.parametrize(
    ("overrides", "compositions"),
    [
        (["seed=range(50)", "loss.way=both,class"], 1),
        (["loss=twoway,softmax", "seed=range(10)"], 2),
        (["epcohs=3", "loss.T=3", "optim.lr=1", "epochs=0"], 1),
    ],
)
def test_each_choice_of_groups_is_composed_once(overrides, compositions, monkeypatch):
    calls = []
    composed = hydra.compose
    monkeypatch.setattr(hydra, "compose", lambda *words: calls.append(words) or composed(*words))
    with contextlib.suppress(ConfigError):
        check("train", overrides, OURS)
    assert len(calls) == compositions


@pytest.mark.parametrize("tracker", ["wandb", "tensorboard"])
def test_a_tracker_that_is_not_installed_is_a_mistake(tracker, monkeypatch):
    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    check("train", ["tracker=none"], OURS)
    (line,) = mistakes(f"tracker={tracker}")
    assert f"tracker={tracker} needs a package that is not installed: pip install 'margin-bench[{tracker}]'" in line


def test_the_processes_that_torchrun_has_started_count_instead_of_devices():
    (line,) = mistakes(num_processes=3)
    assert "3 processes" in line
    check("train", ["devices=3"], Sources(), num_processes=4)


def test_a_value_that_is_needed_is_asked_for():
    assert mistakes(command="evaluate") == ["run is needed: run=VALUE"]


def test_a_folder_of_the_users_own_adds_groups_files(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "name: mine\n_target_: my_package.MyLoss\ngamma: 2.0\n", encoding="utf-8"
    )
    check("train", ["loss=mine", "loss.gamma=3"], Sources(tmp_path))
    (line,) = mistakes("loss=mine", "loss.gamma=wide", sources=Sources(tmp_path))
    assert "loss.gamma=wide: expected float" in line


def test_a_pattern_of_files_finds_those_of_the_user_as_well(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "zmine.yaml").write_text("name: mine\n_target_: my_package.MyLoss\n", encoding="utf-8")
    assert grid(["loss=glob(z*)"], Sources(tmp_path)) == ([], [["loss=zlpr"], ["loss=zmine"]])
    check("train", ["loss=glob(zm*)"], Sources(tmp_path))
    assert "a sweep needs values" in mistakes("loss=glob(zm*)")[0]


@pytest.mark.parametrize(
    ("file", "content", "needed"),
    [
        ("loss/mine.yaml", "gamma: 2.0\n", ["loss.name", "loss._target_"]),
        ("loss/mine.yaml", "", ["loss.name", "loss._target_"]),
        ("dataset/mine.yaml", "name: null\n_target_: my_package.load\n", ["dataset.name"]),
        ("transforms/mine.yaml", "image_size: 32\n", ["transforms._target_"]),
        ("backbone/mine.yaml", "name: vit\n", ["backbone._target_"]),
        ("backbone/mine.yaml", "_target_: my_package.MyNet\n", ["backbone.name"]),
    ],
)
def test_a_file_of_the_users_own_that_says_too_little_is_told_what_is_needed(tmp_path, file, content, needed):
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    lines = mistakes(f"{path.parent.name}=mine", sources=Sources(tmp_path))
    assert [line.partition(" is needed")[0] for line in lines] == needed


def test_a_file_of_the_users_own_that_is_no_yaml_is_named_with_the_line(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\nmargin: [1\n", encoding="utf-8")
    (line,) = mistakes("loss=mine", sources=Sources(tmp_path))
    assert "mine.yaml" in line
    assert "line 3" in line


def test_a_group_of_the_users_own_is_a_group(tmp_path):
    (tmp_path / "protocol").mkdir()
    (tmp_path / "protocol" / "short.yaml").write_text("# @package _global_\nepochs: 0\n", encoding="utf-8")
    assert mistakes("+protocol=short", sources=Sources(tmp_path)) == [
        "epochs=0: expected a number of at least 1 and below 1000001"
    ]


def test_choices_that_go_wrong_only_together_are_named_together(monkeypatch):
    composed = hydra.compose

    def two_at_most(command, words):
        if len(words) > 1:
            raise ValueError("not these two")
        return composed(command, words)

    monkeypatch.setattr(hydra, "compose", two_at_most)
    assert mistakes("loss=bce", "dataset=coco") == ["loss=bce dataset=coco: not these two"]


def test_a_run_is_resolved_with_null_for_what_is_not_given():
    composer = Composer("train", OURS)
    with OURS.opened():
        content = composer.resolved([parse_override(word) for word in ("dataset=csv", "loss=circle", "epochs=3")])
    assert (content["epochs"], content["dataset"]["file"], content["loss"]["gamma"]) == (3, None, 16.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["epcohs=3", "loss=towway"], "there is no loss towway.*\nepcohs=3: there is no key epcohs"),
        (["epochs=many"], "epochs: Value 'many' of type 'str' could not be converted to Integer"),
        (["+loss.gamma=${loss.delta}"], "loss.gamma: Interpolation key 'loss.delta' not found"),
    ],
)
def test_a_run_that_is_wrong_is_not_resolved(words, said):
    composer = Composer("train", OURS)
    with OURS.opened(), pytest.raises(ConfigError, match=said):
        composer.resolved([parse_override(word) for word in words])
