"""Names tell which cells can have a record at all."""

import pytest

from margin_bench.config.sources import Sources
from margin_bench.tables.prefilter import can_have_names

TWO_WAY, HINGE = (f"margin_bench.losses.{name}" for name in ("TwoWayLoss", "HingeLoss"))
KNOWN = {("digits", "test_resnet", TWO_WAY)}


@pytest.mark.parametrize(
    "words",
    [
        "",
        "dataset=digits",
        "dataset=digits backbone=digits loss=twoway loss.way=class",
        "loss=softmax loss._target_=margin_bench.losses.TwoWayLoss",
        "loss=twoway loss.name=mine",
        "loss=own loss._target_=my_package.Mine",
        "dataset=hinge",  # there is none, which is for others to say
    ],
)
def test_what_can_have_the_names_of_a_record_is_kept(words):
    assert can_have_names(words.split(), KNOWN, Sources())


@pytest.mark.parametrize("words", ["dataset=coco", "dataset=digits loss=hinge", "backbone=resnet50 loss=twoway"])
def test_what_has_another_name_than_every_record_is_not(words):
    assert not can_have_names(words.split(), KNOWN, Sources())


def test_the_names_must_be_those_of_one_record():
    known = {("digits", "test_resnet", TWO_WAY), ("coco", "resnet50", HINGE)}
    assert not can_have_names(["dataset=digits", "loss=hinge"], known, Sources())
    assert can_have_names(["dataset=coco", "loss=hinge"], known, Sources())


def test_a_name_is_the_one_that_a_file_gives_also_within_a_section(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("# @package _global_\ndataset: {name: digits}\n", encoding="utf-8")
    (tmp_path / "dataset" / "other.yaml").write_text("name: other\n", encoding="utf-8")
    (tmp_path / "dataset" / "asked_for.yaml").write_text("name: ???\n", encoding="utf-8")
    assert can_have_names(["dataset=mine"], KNOWN, Sources(tmp_path))
    assert not can_have_names(["dataset=other"], KNOWN, Sources(tmp_path))
    assert can_have_names(["dataset=asked_for"], KNOWN, Sources(tmp_path)), "an override gives the name"


def write(folder, group, content):
    (folder / group).mkdir(exist_ok=True)
    (folder / group / "mine.yaml").write_text(content, encoding="utf-8")


@pytest.mark.parametrize("name", ["${oc.env:MYNAME,digits}", "of_${epochs}_epochs"])
def test_a_name_that_is_made_of_something_else_may_be_any(tmp_path, name):
    write(tmp_path, "dataset", f"name: {name}\n")
    assert can_have_names(["dataset=mine"], KNOWN, Sources(tmp_path))


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ("experiment", "# @package _global_\ndataset:\n  name: digits\n"),
        ("experiment", "# @package dataset\nname: digits\n"),
        ("experiment", "# @package _global_\ndataset: ${other}\n"),
        ("experiment", "# @package _global_\ndefaults:\n  - renamed\n"),
        ("loss", "# @package _global_\ndataset:\n  name: digits\n"),
    ],
)
def test_a_file_of_another_group_may_name_it(tmp_path, group, content):
    write(tmp_path, group, content)
    assert can_have_names(["dataset=coco", f"{group}=mine"], KNOWN, Sources(tmp_path))


def test_a_file_that_follows_may_name_it(tmp_path):
    write(tmp_path, "dataset", "defaults:\n  - _self_\n  - digits\nname: mine\n")
    assert can_have_names(["dataset=mine"], KNOWN, Sources(tmp_path))


@pytest.mark.parametrize("words", ["dataset=coco experiment=quick", "transforms=paper dataset=coco", "loss=arcface"])
def test_files_that_name_nothing_else_change_nothing(words):
    assert not can_have_names(words.split(), KNOWN, Sources())


def test_a_parameter_that_is_called_as_its_group_is_no_section(tmp_path):
    write(tmp_path, "loss", f"name: mine\n_target_: {TWO_WAY}\nloss: bce\n")
    assert can_have_names(["dataset=digits", "loss=mine"], KNOWN, Sources(tmp_path))
    write(tmp_path, "loss", f"name: mine\n_target_: {TWO_WAY}\nloss: {{_target_: {HINGE}}}\n")
    assert can_have_names(["dataset=digits", "loss=mine"], KNOWN, Sources(tmp_path))
