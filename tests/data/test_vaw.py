"""VAW's traps and faults."""

import numpy as np
import pytest

from margin_bench.data import vaw
from margin_bench.errors import DataError
from tests.helpers import made

NO_IMAGE = {"instance_id": "1", "instance_bbox": [0, 0, 5, 5], "positive_attributes": [], "negative_attributes": []}


@pytest.fixture
def written(tmp_path):
    return made.vaw(tmp_path)


def load(written, split="train"):
    return vaw.load(split, written.root, keep_empty=True)


def test_boxes_are_left_top_right_bottom_and_images_lie_in_two_folders(written):
    split = load(written)
    np.testing.assert_array_equal(split.boxes[0], [2.5, 3, 12.5, 15])
    assert split.images[0] == written.root / "VG_100K/0.jpg"
    assert split.images[1] == written.root / "VG_100K_2/1.jpg"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"positive_attributes": ["attribute 1", "shiny"]}, "unknown attribute shiny"),
        (
            {"positive_attributes": ["attribute 1"], "negative_attributes": ["attribute 1"]},
            "both positive and negative: attribute 1",
        ),
        ({"instance_bbox": [0, 0, 5, 0]}, "the box [0, 0, 5, 0] has no area"),
    ],
)
def test_a_faulty_object_is_named_and_left_out(written, change, fault):
    before = load(written).targets
    made.edit_json(written.root / "train_part1.json", lambda objects: objects[0].update(change))
    split = load(written)
    assert split.faults == (f"instance 0: {fault}",)
    np.testing.assert_array_equal(split.targets, before[1:])


def test_an_object_that_stands_twice_is_a_fault(written):
    made.edit_json(written.root / "train_part2.json", lambda objects: objects[0].update(instance_id="0"))
    assert load(written).faults == ("instance 0 stands 2 times",)


@pytest.mark.parametrize("content", [{}, [{"image_id": 1}], [NO_IMAGE], 3])
def test_a_file_of_another_format_is_named(written, content):
    made.write_json(written.root / "test.json", content if content != {} else {"a": 1})
    with pytest.raises(DataError, match=r"test\.json"):
        load(written, "test")
