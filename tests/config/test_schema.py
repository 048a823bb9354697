"""The configurations that the YAML files make."""

import dataclasses
import inspect

import pytest
from hydra.utils import get_class

from margin_bench.config import schema
from margin_bench.config.compose import check
from margin_bench.config.schema import of_record, typed
from margin_bench.config.sources import Sources, our_files
from margin_bench.errors import ConfigError


def config(*overrides):
    with Sources().opened():
        return typed("train", Sources().compose("train", ["precision=fp32", *overrides]))


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
        check("train", ["loss=arcface", wrong], Sources())


@pytest.mark.parametrize("wrong", ["backbone.head=conv", "backbone.scale=0"])
def test_a_head_is_linear_or_cosine_and_its_scale_above_zero(wrong):
    with pytest.raises(ConfigError, match=wrong):
        check("train", [wrong], Sources())


def test_a_whole_number_is_a_float_where_the_file_of_the_loss_has_one():
    loss = config("loss=twoway", "loss.positive_temperature=4", "+loss.note=4").loss
    assert repr(loss["positive_temperature"]) == "4.0"
    assert repr(loss["note"]) == "4"
    assert repr(config("loss=weston_watkins", "loss.power=2").loss["power"]) == "2"


def test_null_in_the_file_of_a_loss_of_ours_stands_for_a_float():
    assert repr(config("loss=focal", "loss.alpha=1").loss["alpha"]) == "1.0"
    for ours in our_files("loss"):
        for key in (key for key, value in ours.items() if value is None):
            assert inspect.signature(get_class(ours["_target_"])).parameters[key].annotation == float | None


def test_a_loss_of_ours_has_one_target_whichever_way_it_is_reached():
    by_module = "loss._target_=margin_bench.losses.twoway.TwoWayLoss"
    assert config("loss=twoway", by_module) == config("loss=twoway")
    assert repr(config("loss=own", by_module, "+loss.logit_bias=1").loss["logit_bias"]) == "1.0"
    others = ["margin_bench.losses.twoway.Other", "my_package.losses.twoway.TwoWayLoss"]
    assert [config("loss=own", f"loss._target_={other}").loss["_target_"] for other in others] == others


def test_a_file_of_the_users_own_that_ours_would_hide_is_refused(tmp_path):
    for name in ("loss/twoway.yaml", "loss/mine.yaml", "table/table3.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("name: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"has loss/twoway\.yaml, table/table3\.yaml itself; give yours another name"):
        Sources.of(str(tmp_path))


@pytest.mark.parametrize("content", ["temperature: warm", "revision: two", "revision: 1.5", "revision: 0"])
def test_a_value_of_the_wrong_kind_in_a_file_of_the_users_own_is_told(tmp_path, content):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        f"name: mine\n_target_: my_package.Mine\n{content}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=f"loss.{content.replace(': ', '=')}: expected a .*number of at least"):
        check("train", ["loss=mine"], Sources(tmp_path))


def test_a_record_is_a_configuration_again():
    content = dataclasses.asdict(config("loss=triplet"))
    assert of_record(content) == config("loss=triplet")


def test_a_record_from_before_a_key_has_the_value_that_the_key_came_with(monkeypatch):
    content = dataclasses.asdict(config())
    del content["backbone"]["_target_"]
    assert of_record(content) == config()
    content = dataclasses.asdict(config("dataset=coco", "dataset.root=/data"))
    files = [
        {"_target_": "margin_bench.data.coco.load", "about": {"since": {"folds": {"version": "0.3.0", "value": 5}}}},
        {"_target_": "margin_bench.data.voc.load", "about": {"since": {"other": {"version": "0.3.0", "value": 1}}}},
    ]
    monkeypatch.setattr(schema, "our_files", lambda group: files if group == "dataset" else [])
    assert of_record(content).dataset == {**content["dataset"], "folds": 5}
    content["dataset"]["folds"] = None
    assert of_record(content).dataset["folds"] is None


def test_of_files_that_share_their_code_the_one_with_the_name_says_what_came_later(monkeypatch):
    """As those of VOC2007 and VOC2012 do."""
    record = dataclasses.asdict(config("dataset=voc2012"))

    def with_later(group):
        value = {"voc2007": 1, "voc2012": 2}
        since = {name: {"added": {"version": "0.3.0", "value": number}} for name, number in value.items()}
        return tuple({**ours, "about": {"since": since.get(ours.get("name"), {})}} for ours in our_files(group))

    monkeypatch.setattr(schema, "our_files", with_later)
    assert of_record(record).dataset["added"] == 2
    record["dataset"]["name"] = "voc2007"
    assert of_record(record).dataset["added"] == 1
