"""The ids of the runs of cells: those that a run with these overrides has."""

import pytest

from margin_bench.config import schema
from margin_bench.config.compose import Composer
from margin_bench.config.identity import run_id
from margin_bench.config.schema import OPEN_GROUPS, typed
from margin_bench.config.sources import Sources, our_files
from margin_bench.errors import ConfigError
from margin_bench.tables.identities import Identities
from tests.helpers.synthetic_runs import identities

OURS = Sources()
CELLS = [
    "dataset=digits",
    "dataset=digits loss=twoway loss.positive_temperature=0.0",
    "dataset=digits loss=softmax loss.way=sample",
    "dataset=digits loss=bce_weighted",
    "dataset=digits loss=triplet loss.way=joint",
    "dataset=digits loss=circle backbone.scale=8.0",
    "dataset=digits loss=arcface",
    "dataset=digits loss=ge2e",
    "dataset=coco loss=asl backbone=densenet169 optim.head_lr=1 epochs=3",
    "dataset=digits experiment=quick loss=pairwise_logistic +loss.note=mine bucket_size=64",
    "dataset=digits loss=criterion loss.function=my.function data.holdout=0.2 workers=2",
    "dataset=digits loss=twoway loss.positive_temperature=4 optim={head_lr:1}",
    "dataset=digits backbone.pretrained=no epochs='5' +loss.note={a:[1,2],b:no}",
    "dataset=digits loss=twoway loss.positive_temperature=${loss.negative_temperature} loss.negative_temperature=3",
    "dataset=digits backbone.weights=null +backbone.options.features=8 dataset.num_train=100",
    "dataset=digits loss=circle backbone.scale=8",
    "dataset=digits loss=circle loss.gamma=16",
    "dataset=digits loss=twoway loss.logit_bias=${seed} optim.head_lr=${seed}",
    "dataset=digits loss=infonce optim.momentum=0 optim.nesterov=false backbone.scale='3'",
]


def id_by_hydra(words: str, sources: Sources = OURS) -> str:
    with sources.opened():
        return run_id(typed("train", sources.compose("train", [*words.split(), "seed=3", "precision=bf16"])))


@pytest.mark.parametrize("words", CELLS)
def test_the_id_is_that_of_a_run_with_these_overrides(words):
    assert identities().of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words)


def test_a_key_that_follows_the_seed_is_left_out_for_the_seed_that_it_came_with(monkeypatch):
    later = {"about": {"since": {"seed": {"version": "0.3.0", "value": 3}}}}
    ours = {group: our_files(group) for group in OPEN_GROUPS}
    monkeypatch.setattr(schema, "our_files", {**ours, "loss": [each | later for each in ours["loss"]]}.get)
    words = "dataset=digits loss=triplet loss.mining=random"
    cell = identities().of(tuple(words.split()))
    assert cell.run_id(3, "bf16") == id_by_hydra(words)
    assert ["seed" in cell.of_run(seed, "bf16")["loss"] for seed in (2, 3)] == [True, False]


def test_a_value_that_a_file_asks_for_is_given_by_an_override(tmp_path):
    (tmp_path / "labels.csv").write_text("image,a\n", encoding="utf-8")
    words = f"dataset=csv dataset.file={tmp_path}/labels.csv loss=criterion loss.function=my_package.mine"
    assert Identities(OURS).of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words)


def test_a_choice_that_does_not_compose_is_told():
    with pytest.raises(ConfigError, match="dataset=mars"):
        identities().of(("dataset=mars",))


@pytest.mark.parametrize("word", ["epohcs=3", "loss.gamma=2", "loss.way.x=2"])
def test_a_key_that_is_not_there_is_told(word):
    with pytest.raises(ConfigError, match=f"there is no key {word.partition('=')[0]}"):
        identities().of(("dataset=digits", "loss=twoway", word))


def test_losses_of_the_users_own_are_found(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "name: mine\n_target_: my_package.Mine\nrate: 1e-4\nseed: ${seed}\n", encoding="utf-8"
    )
    (tmp_path / "loss" / "odd.yaml").write_text(
        "# @package _global_\nloss: {name: odd, _target_: a.B}\nepochs: 3\n", encoding="utf-8"
    )
    own = Identities(Sources(tmp_path))
    mine = own.of(("dataset=digits", "loss=mine")).of_run(5, "fp32")
    assert mine["loss"] == {"_target_": "my_package.Mine", "rate": 1e-4, "seed": 5}
    assert own.of(("dataset=digits", "loss=odd")).content["epochs"] == 3


def test_what_other_files_of_the_users_own_say_about_a_loss_holds(tmp_path):
    for group, name, content in [
        ("dataset", "tepid", "# @package _global_\ndataset: {name: t}\nloss: {positive_temperature: 7.0}\n"),
        ("dataset", "warm", "# @package _global_\ndefaults: [tepid]\n"),
        ("experiment", "hot", "# @package _global_\nloss: {positive_temperature: 9.0}\nepochs: 3\n"),
        ("experiment", "other", "# @package _global_\ndefaults: [{override /loss: softmax}]\n"),
    ]:
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / f"{name}.yaml").write_text(content, encoding="utf-8")
    own = Identities(Sources(tmp_path))
    for words in [
        "dataset=digits loss=circle",
        "dataset=warm loss=twoway",
        "dataset=warm loss=multi_similarity",
        "dataset=digits experiment=hot loss=twoway",
        "dataset=digits experiment=hot loss=infonce",
        "dataset=digits experiment=other",
        "dataset=digits experiment=other loss=twoway",
    ]:
        assert own.of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words, Sources(tmp_path)), words


def test_a_sweep_is_no_cell():
    with pytest.raises(ConfigError, match="epochs=1,2"):
        identities().of(("dataset=digits", "epochs=1,2"))


def test_the_precision_that_a_cell_sets_is_its_own():
    fixed = identities().of(("dataset=digits", "precision=fp32"))
    assert fixed.run_id(0, "bf16") == fixed.run_id(0, "fp32")
    assert fixed.of_run(0, "bf16")["precision"] == "fp32"


def test_losses_that_take_in_another_one_are_composed_each(tmp_path):
    (tmp_path / "loss").mkdir()
    for name, rate in (("mine1", 1.0), ("mine2", 2.0)):
        (tmp_path / "loss" / f"{name}.yaml").write_text(
            f"defaults: [twoway, _self_]\nname: {name}\nlogit_bias: {rate}\n", encoding="utf-8"
        )
    own = Identities(Sources(tmp_path))
    for name in ("mine1", "mine2"):
        words = f"dataset=digits loss={name}"
        assert own.of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words, Sources(tmp_path))


def test_a_value_within_a_text_follows_an_override(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "named.yaml").write_text("defaults: [csv]\nname: of_${epochs}_epochs\n", encoding="utf-8")
    (tmp_path / "labels.csv").write_text("image,a\n", encoding="utf-8")
    words = f"dataset=named dataset.file={tmp_path}/labels.csv epochs=3 loss=twoway"
    own = Identities(Sources(tmp_path))
    assert own.of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words, Sources(tmp_path))
    (tmp_path / "dataset" / "named.yaml").write_text("defaults: [csv]\nname: fold_${seed}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"dataset\.name: fold_\$\{seed\}: a table cannot tell runs apart"):
        Identities(Sources(tmp_path)).of(tuple(words.split()))


@pytest.fixture
def remembered(tmp_path, monkeypatch):
    """The identities of cells that another process has composed: here none can be."""
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))

    def of(*cells):
        first = Identities(OURS)
        expected = [first.of(words.split()) for words in cells]
        first.save()
        with monkeypatch.context() as patched:
            patched.setattr(Composer, "resolved", None)
            second = Identities(OURS)
            return expected, [second.of(words.split()) for words in cells]

    return of


def test_what_is_remembered_is_what_was_composed(remembered):
    expected, found = remembered(*CELLS[:8], "dataset=digits loss=triplet loss.mining=random")
    assert found == expected
    assert found[-1].run_id(3, "bf16") == id_by_hydra("dataset=digits loss=triplet loss.mining=random")


def test_a_file_that_counts_by_its_content_is_read_each_time(remembered, tmp_path):
    file = tmp_path / "labels.csv"
    words = f"dataset=csv dataset.file={file} loss=twoway"
    file.write_text("image,a\n", encoding="utf-8")
    (before,), _ = remembered(words)
    file.write_text("image,b,c\n", encoding="utf-8")
    _, (after,) = remembered(words)
    assert before.content["dataset"]["file_sha256"] != after.content["dataset"]["file_sha256"]
    assert after.run_id(3, "bf16") == id_by_hydra(words)


def test_keys_that_follow_the_seed_are_told():
    assert identities().of(("dataset=digits", "loss=twoway")).seeded == ("seed",)
    assert identities().of(("loss=triplet", "loss.mining=random")).seeded == ("loss.seed", "seed")
