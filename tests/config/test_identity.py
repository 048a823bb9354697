"""The identity of a run: what decides its result, and nothing else."""

import dataclasses
import hashlib
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch

from margin_bench.config import schema
from margin_bench.config.build import build
from margin_bench.config.identity import files_sha256, id_of, identity, run_id
from margin_bench.config.schema import OPEN_GROUPS, SCHEMAS, Since, TrainConfig, of_record, typed
from margin_bench.config.sources import Sources, configs_dir, our_files
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError, DataError
from margin_bench.runs.parts import model_of


def config(*overrides):
    with Sources().opened():
        return typed("train", Sources().compose("train", ["precision=fp32", *overrides]))


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


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        (["seed=3", "loss.way=class"], "digits-test_resnet-TwoWayLoss-class-seed3-"),
        (["loss=bce"], "digits-test_resnet-BCELoss-seed0-"),
        (["loss=own", "loss._target_=my_package.losses.Mine"], "digits-test_resnet-Mine-seed0-"),
        (["loss=criterion", "loss.function=my_package.gap"], "digits-test_resnet-gap-both-seed0-"),
        (["loss=criterion", "loss.function='my_package:gap'"], "digits-test_resnet-gap-both-seed0-"),
    ],
)
def test_the_name_is_readable(overrides, start):
    assert run_id(config(*overrides)).startswith(start)


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("dataset.name=../../x", ".._.._x-test_resnet-TwoWayLoss-"),
        ("dataset.name=..", "__-test_resnet-"),
        ("backbone.name=a/b", "digits-a_b-TwoWayLoss-"),
        ("loss._target_='a.b\u00e9 c/d'", "digits-test_resnet-b__c_d-both-"),
    ],
)
def test_the_name_is_a_file_name_whatever_the_parts_are(override, start):
    assert run_id(config(override)).startswith(start)


def test_a_loss_may_have_any_name():
    assert run_id(config("loss.name=mine", "loss.positive_temperature=4")) == run_id(config())
    assert run_id(config("dataset.name=mine")) != run_id(config()), "which tells data sets of the user's own apart"


@pytest.mark.parametrize(
    ("choices", "key", "values"),
    [
        ([], "backbone.scale", (16, 8)),
        ([], "backbone.learn_scale", ("false", "true")),
        (["dataset=digits"], "backbone.pretrained", ("false", "true")),
        *((["loss=triplet", f"loss.mining={mining}"], "loss.seed", (0, 1)) for mining in ("all", "hardest")),
        (["loss=ranking_hinge"], "loss.seed", (0, 1)),
        (["loss=pairwise_logistic", "loss.mining=semi_hard"], "loss.seed", (0, 1)),
        (["loss=ge2e"], "loss.bias", (-5, 0)),
    ],
)
def test_a_key_that_changes_nothing_beside_another_one_does_not_count(choices, key, values):
    first, second = (run_id(config(*choices, f"{key}={value}")) for value in values)
    assert first == second


@pytest.mark.parametrize(
    ("choices", "key", "values"),
    [
        (["backbone.head=cosine"], "backbone.scale", (16, 8)),
        (["backbone.head=cosine"], "backbone.learn_scale", ("false", "true")),
        (["backbone.weights=null"], "backbone.pretrained", ("false", "true")),
        (["loss=triplet", "loss.mining=random"], "loss.seed", (0, 1)),
        (["loss=ge2e", "loss.form=contrast"], "loss.bias", (-5, 0)),
        (["loss=own", "loss._target_=a.B", "+loss.mining=hardest"], "+loss.seed", (0, 1)),
    ],
)
def test_where_the_other_one_is_different_it_counts(choices, key, values):
    first, second = (run_id(config(*choices, f"{key}={value}")) for value in values)
    assert first != second


def weights_of(*overrides):
    """The weights that a run begins with."""
    torch.manual_seed(0)
    return model_of(config(*overrides).backbone, 3, pretrained=True).state_dict()


@pytest.mark.parametrize("override", ["backbone.scale=8", "backbone.learn_scale=true", "backbone.pretrained=true"])
def test_a_linear_head_has_no_scale_and_weights_of_a_file_take_the_place_of_a_librarys(override):
    expected, found = weights_of(), weights_of(override)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@cache
def loss_of(name):
    return config(f"loss={name}").loss


def value_of(loss, **changes):
    """The value of a loss of ours on four samples of five classes."""
    logits = torch.linspace(-2, 2, 20).reshape(4, 5).sin() * 8
    targets = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1], [1, 0, 0, 0, 0]], dtype=torch.int8)
    return build({**loss_of(loss), **changes})(logits, targets).item()


@pytest.mark.parametrize("loss", ["triplet", "ranking_hinge", "pairwise_logistic"])
def test_the_seed_of_a_loss_changes_its_value_only_where_negatives_are_drawn(loss):
    for mining in ("all", "hardest", "semi_hard"):
        assert len({value_of(loss, mining=mining, seed=seed) for seed in range(5)}) == 1
    assert len({value_of(loss, mining="random", seed=seed) for seed in range(5)}) > 1


def test_the_bias_of_ge2e_changes_its_value_only_in_the_contrast():
    assert value_of("ge2e", bias=0.0) == value_of("ge2e", bias=-5.0)
    assert value_of("ge2e", form="contrast", bias=0.0) != value_of("ge2e", form="contrast", bias=-5.0)


def test_every_loss_of_ours_with_a_seed_has_mining():
    """So that the rule for the one, which reads the other, holds for all of them."""
    with_seed = [content for content in our_files("loss") if "seed" in content]
    assert with_seed
    assert all("mining" in content for content in with_seed)


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
        "from margin_bench.config.identity import run_id\n"
        "from margin_bench.config.schema import typed\n"
        "from margin_bench.config.sources import *\n"
        "register_resolvers()\n"
        "with initialize_config_dir(str(configs_dir()), version_base='1.3'):\n"
        f"    print(run_id(typed('train', compose('train', {overrides}))))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == run_id(config(*overrides))


def test_a_zero_has_no_sign():
    assert run_id(config("loss.logit_bias=-0.0")) == run_id(config("loss.logit_bias=0.0"))
    assert run_id(config("+loss.w=[{a:-0.0}]")) == run_id(config("+loss.w=[{a:0.0}]"))


@pytest.mark.parametrize("file", ["5", "[a,b]"])
def test_a_file_has_a_name(file):
    with pytest.raises(ConfigError, match=r"dataset\.file=.*: expected a file's name"):
        run_id(config("dataset=csv", f"dataset.file={file}"))


@dataclass
class LaterConfig(TrainConfig):
    """The schema of a later version."""

    label_noise: float = field(default=0.0, metadata={"since": Since("0.3.0", 0.0)})


@dataclass
class NoisyConfig(TrainConfig):
    """The schema of a still later version, in which that key has another default."""

    label_noise: float = field(default=0.2, metadata={"since": Since("0.3.0", 0.0)})


def later_id(label_noise):
    return id_of(identity(dataclasses.asdict(config()) | {"label_noise": label_noise}))


def test_a_key_that_comes_later_changes_no_id_until_it_has_another_value(monkeypatch):
    monkeypatch.setitem(SCHEMAS, "train", LaterConfig)
    assert later_id(0.0) == run_id(config())
    assert later_id(0.1) != run_id(config())


def test_a_default_that_changes_later_leaves_the_ids_of_before(monkeypatch):
    """The value at the introduction stays what is left out, whatever the default is by then."""
    before, run_id_before = dataclasses.asdict(config()), run_id(config())
    monkeypatch.setitem(SCHEMAS, "train", NoisyConfig)
    assert of_record(before).label_noise == 0.0, "a record from before the key"
    assert run_id(of_record(before)) == run_id_before
    assert config().label_noise == 0.2, "the default by now"
    assert run_id(config()) != run_id_before


@dataclass
class NoiseConfig:
    """A section of a later version."""

    labels: float = field(default=0.0, metadata={"since": Since("0.3.0", 0.0)})


@dataclass
class LaterSectionConfig(TrainConfig):
    """The schema of a version with that section."""

    noise: NoiseConfig = field(default_factory=NoiseConfig)


def test_a_section_that_comes_later_changes_no_id_until_a_key_of_it_has_another_value(monkeypatch):
    monkeypatch.setitem(SCHEMAS, "train", LaterSectionConfig)
    content = dataclasses.asdict(config())
    assert id_of(identity(content)) == id_of(identity({**content, "noise": {"labels": 0.0}}))
    assert id_of(identity(content)) != id_of(identity({**content, "noise": {"labels": 0.1}}))


LOSS = "name: mine\n_target_: my_package.Mine\n"
SINCE = "about: {since: {normaliser: {version: 0.3.0, value: counting}}}\n"


def own_id(folder, content, *overrides):
    """The id of a run with a loss whose file has this content."""
    (folder / "loss").mkdir(exist_ok=True)
    (folder / "loss" / "mine.yaml").write_text(content, encoding="utf-8")
    with Sources(folder).opened():
        composed = Sources(folder).compose("train", ["precision=fp32", "loss=mine", *overrides])
        return run_id(typed("train", composed))


@pytest.fixture
def normaliser_came_later(monkeypatch):
    """Let our file of the two-way loss say that `normaliser` came later, as `counting`."""
    later = {"about": {"since": {"normaliser": {"version": "0.3.0", "value": "counting"}}}}
    ours = {group: our_files(group) for group in OPEN_GROUPS}
    files = {**ours, "loss": [content | later if content["name"] == "twoway" else content for content in ours["loss"]]}
    monkeypatch.setattr(schema, "our_files", files.get)


@pytest.mark.usefixtures("normaliser_came_later")
def test_a_parameter_that_comes_later_to_a_loss_changes_no_id_until_it_has_another_value():
    assert run_id(config("+loss.normaliser=counting")) == run_id(config())
    assert run_id(config("+loss.normaliser=all")) != run_id(config())
    first, second = (run_id(config("loss=triplet", *more)) for more in ([], ["+loss.normaliser=counting"]))
    assert first != second, "which is another loss"


def test_what_a_users_file_says_came_later_counts_as_any_other_key(tmp_path):
    before = own_id(tmp_path, LOSS)
    ids = {own_id(tmp_path, f"{LOSS}{SINCE}normaliser: {value}\n") for value in ("counting", "all")}
    assert len(ids | {before}) == 3
    assert run_id(config("+loss.about.since={m:{value:1}}", "+loss.m=1")) == run_id(config("+loss.m=1"))
    assert run_id(config("+loss.m=1")) != run_id(config())


@pytest.mark.parametrize("about", ["some text", "[a]", "{since: [a]}", "{since: {m: 3}}", "{since: {_target_: {}}}"])
def test_what_stands_in_about_changes_no_id(tmp_path, about):
    assert own_id(tmp_path, f"{LOSS}about: {about}\n") == own_id(tmp_path, LOSS)


@pytest.mark.parametrize("group", ["loss", "dataset", "transforms"])
def test_raising_a_revision_changes_the_id(group):
    assert run_id(config(f"{group}.revision=1")) == run_id(config())
    assert run_id(config(f"{group}.revision=2")) not in (run_id(config()), run_id(config(f"{group}.revision=3")))


def test_a_file_without_a_revision_is_of_the_first(tmp_path):
    assert own_id(tmp_path, LOSS) == own_id(tmp_path, f"{LOSS}revision: 1\n")
    assert own_id(tmp_path, LOSS) != own_id(tmp_path, f"{LOSS}revision: 2\n")


@pytest.mark.parametrize("group", OPEN_GROUPS)
def test_every_file_of_ours_has_a_revision(group):
    contents = {path.stem: read_yaml(path) for path in (configs_dir() / group).glob("*.yaml")}
    assert contents
    for name, content in contents.items():
        assert content.get(group, content).get("revision", 0) >= 1, name
