"""VISPR's traps and faults."""

import numpy as np
import pytest

from margin_bench.data import vispr
from tests.helpers import made


@pytest.fixture
def written(tmp_path):
    return made.vispr(tmp_path)


def load(written, split="train"):
    return vispr.load(split, written.root, keep_empty=False)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"labels": ["a2_gender", "gender"]}, "unknown label gender"),
        ({"image_path": "images/train2017/2017_99999999.jpg"}, "it is of another image, 2017_99999999.jpg"),
        ({"labels": None}, "expected image_path and labels"),
    ],
)
def test_a_faulty_file_is_named(written, change, fault):
    made.edit_json(written.root / "train2017/2017_00000000.json", lambda content: content.update(change))
    (found,) = load(written).faults
    assert found.startswith(f"train2017/2017_00000000.json: {fault}")


def test_an_image_that_is_moved_is_found_in_its_new_place(written):
    load(written)
    for suffix in (".jpg", ".json"):
        old = written.root / f"train2017/2017_00000014{suffix}"
        old.rename(written.root / f"val2017/2017_00000014{suffix}")
    assert all(path.is_file() for path in load(written).images)


def test_a_misspelled_label_is_a_fault(written):
    made.edit_json(written.root / "val2017/2017_00000020.json", lambda content: content["labels"].append("a2_gendr"))
    assert load(written).faults == ("the labels a2_gender and a2_gendr have one number: one of them is misspelled",)


def test_a_file_that_is_not_json_is_a_fault(written):
    (written.root / "train2017/2017_00000000.json").write_text("{", encoding="utf-8")
    (fault,) = load(written).faults
    assert fault.startswith("train2017/2017_00000000.json: expected image_path and labels (JSONDecodeError")


def test_a_test_label_that_training_does_not_have_is_a_fault(written):
    made.edit_json(written.root / "test2017/2017_00001000.json", lambda content: content["labels"].append("a9_new"))
    split = load(written, "test")
    assert split.faults == ("test2017/2017_00001000.json: unknown label a9_new",)
    np.testing.assert_array_equal(split.targets, written.targets["test"])
