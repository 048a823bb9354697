"""The identity of a run: what decides its result, and nothing else."""

import dataclasses
import hashlib
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from margin_bench.config.identity import files_sha256, id_of, identity, run_id
from margin_bench.config.schema import OPEN_GROUPS, SCHEMAS, Since, TrainConfig, configs_dir, typed
from margin_bench.config.sources import Sources
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import DataError


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


@dataclass
class LaterConfig(TrainConfig):
    """The schema of a later version."""

    label_noise: float = field(default=0.0, metadata={"since": Since("0.3.0", 0.0)})


def later_id(label_noise):
    return id_of(identity(dataclasses.asdict(config()) | {"label_noise": label_noise}))


def test_a_key_that_comes_later_changes_no_id_until_it_has_another_value(monkeypatch):
    monkeypatch.setitem(SCHEMAS, "train", LaterConfig)
    assert later_id(0.0) == run_id(config())
    assert later_id(0.1) != run_id(config())


def test_a_default_that_changes_later_leaves_the_ids_of_before(monkeypatch):
    """The value at the introduction stays what is left out, whatever the default is by then."""
    monkeypatch.setitem(SCHEMAS, "train", LaterConfig)
    assert later_id(0.0) == run_id(config()), "a record of before, or one that sets the old default"
    assert later_id(0.2) != run_id(config()), "one by the new default"


LOSS = "name: mine\n_target_: my_package.Mine\n"
SINCE = "about: {since: {denominator: {version: 0.3.0, value: counting}}}\n"


def own_id(folder, content, *overrides):
    """The id of a run with a loss whose file has this content."""
    (folder / "loss").mkdir(exist_ok=True)
    (folder / "loss" / "mine.yaml").write_text(content)
    with Sources(folder).opened():
        composed = Sources(folder).compose("train", ["precision=fp32", "loss=mine", *overrides])
        return run_id(typed("train", composed))


def test_a_parameter_that_comes_later_to_a_loss_changes_no_id_until_it_has_another_value(tmp_path):
    before = own_id(tmp_path, LOSS)
    with_key = f"{LOSS}denominator: counting\n"
    assert own_id(tmp_path, with_key) != before, "without its introduction it counts"
    assert own_id(tmp_path, with_key + SINCE) == before
    assert own_id(tmp_path, with_key + SINCE, "loss.denominator=all") != before


def test_a_default_that_changes_later_in_a_losss_file_changes_the_id_of_runs_by_it(tmp_path):
    before = own_id(tmp_path, LOSS)
    changed = f"{LOSS}denominator: all\n{SINCE}"
    assert own_id(tmp_path, changed) != before
    assert own_id(tmp_path, changed, "loss.denominator=counting") == before


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
