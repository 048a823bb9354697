"""WIDER Attribute's traps and faults."""

import shutil

import numpy as np
import pytest

from margin_bench.data import wider
from margin_bench.errors import DataError
from tests.helpers import made


@pytest.fixture
def written(tmp_path):
    return made.wider(tmp_path)


def file_of(written):
    return written.root / "wider_attribute_annotation" / "wider_attribute_trainval.json"


def load(written, split="train"):
    return wider.load(split, written.root, keep_empty=False)


def test_boxes_are_left_top_right_bottom(written):
    split = load(written)
    np.testing.assert_array_equal(split.boxes[0], [0, 2, 10, 14.5])
    np.testing.assert_array_equal(split.boxes[1], [1.5, 2, 11.5, 14.5])
    assert split.images[0] == split.images[1] == written.root / "Image/train/0--Parade/0000.jpg"


@pytest.mark.parametrize("folder", ["Annotations", "."])
def test_annotations_may_lie_where_others_put_them(written, folder):
    (written.root / folder).mkdir(exist_ok=True)
    for file in list((written.root / "wider_attribute_annotation").iterdir()):
        shutil.move(file, written.root / folder / file.name)
    np.testing.assert_array_equal(load(written).targets, written.targets["train"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"attribute": [1, -1]}, "expected 3 attributes of 1, -1 or 0, found [1, -1]"),
        ({"attribute": [1, -1, 2]}, "expected 3 attributes of 1, -1 or 0, found [1, -1, 2]"),
        ({"attribute": None}, "expected 3 attributes of 1, -1 or 0, found None"),
        ({"attribute": [[1], 0, 0]}, "expected 3 attributes of 1, -1 or 0, found [[1], 0, 0]"),
        ({"bbox": [0, 0, 0, 5]}, "has no area"),
        ({"bbox": [-9, 0, 5, 5]}, "lies outside of the image"),
        ({"bbox": [0, 0, float("nan"), 5]}, "expected a box of four numbers"),
        ({"bbox": [0, 0, 5]}, "expected a box of four numbers"),
    ],
)
def test_a_faulty_box_is_named_and_left_out(written, change, fault):
    made.edit_json(file_of(written), lambda content: content["images"][0]["targets"][0].update(change))
    split = load(written)
    (found,) = split.faults
    assert fault in found
    assert found.startswith("train/0--Parade/0000.jpg")
    np.testing.assert_array_equal(split.targets, written.targets["train"][1:])


@pytest.mark.parametrize("key", ["images", "attribute_id_map"])
def test_a_file_of_another_format_is_named(written, key):
    made.edit_json(file_of(written), lambda content: content.pop(key))
    with pytest.raises(DataError, match=r"wider_attribute_trainval\.json"):
        load(written)
