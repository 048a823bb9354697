"""The ids of the runs of cells: those that a run with these overrides has."""

import pytest
from hydra import compose, initialize_config_dir
from synthetic_runs import identities

from margin_bench.config import configs_dir, register_resolvers, typed
from margin_bench.errors import ConfigError
from margin_bench.identity import run_id
from margin_bench.tables.identities import Identities

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
]


def id_by_hydra(words: str) -> str:
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        return run_id(typed("train", compose("train", [*words.split(), "seed=3", "precision=bf16"])))


@pytest.mark.parametrize("words", CELLS)
def test_the_id_is_that_of_a_run_with_these_overrides(words):
    assert identities().of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words)


def test_a_value_that_a_file_asks_for_is_given_by_an_override(tmp_path):
    (tmp_path / "labels.csv").write_text("image,a\n")
    words = f"dataset=csv dataset.file={tmp_path}/labels.csv loss=criterion loss.function=my_package.mine"
    assert Identities(None).of(tuple(words.split())).run_id(3, "bf16") == id_by_hydra(words)


def test_a_choice_that_does_not_compose_is_told():
    with pytest.raises(ConfigError, match="dataset=mars"):
        identities().of(("dataset=mars",))


@pytest.mark.parametrize("word", ["epohcs=3", "loss.gamma=2", "loss.way.x=2"])
def test_a_key_that_is_not_there_is_told(word):
    with pytest.raises(ConfigError, match=f"there is no key {word.partition('=')[0]}"):
        identities().of(("dataset=digits", "loss=twoway", word))


def test_losses_of_the_users_own_are_found(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\n_target_: my_package.Mine\nrate: 1e-4\nseed: ${seed}\n")
    (tmp_path / "loss" / "odd.yaml").write_text("# @package _global_\nloss: {name: odd, _target_: a.B}\nepochs: 3\n")
    own = Identities(str(tmp_path))
    mine = own.of(("dataset=digits", "loss=mine")).of_run(5, "fp32")
    assert mine["loss"] == {"name": "mine", "_target_": "my_package.Mine", "rate": 1e-4, "seed": 5}
    assert own.of(("dataset=digits", "loss=odd")).content["epochs"] == 3
