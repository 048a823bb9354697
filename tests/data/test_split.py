"""Splits and lists of image files."""

from pathlib import Path

import numpy as np
import pytest

from margin_bench.data.split import ImageFiles, Split

TARGETS = np.array([[1, 0], [0, -1], [1, 1]], np.int8)
NAMES = ("a.jpg", "sub/ä.jpg", "c.jpg")
IMAGES = {
    "arrays": np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3),
    "paths": [Path("/data") / name for name in NAMES],
    "image files": ImageFiles(Path("/data"), np.array([name.encode() for name in NAMES])),
}


def test_image_files_are_paths_below_their_root():
    files = IMAGES["image files"]
    assert len(files) == 3
    assert list(files) == IMAGES["paths"]
    assert files[-1] == Path("/data/c.jpg")
    assert list(files[1:]) == IMAGES["paths"][1:]
    assert list(files[np.array([2, 0])]) == [Path("/data/c.jpg"), Path("/data/a.jpg")]
    with pytest.raises(IndexError):
        files[3]


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_rows_keep_images_targets_and_boxes_together(images):
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    split = Split(images, TARGETS, ("cat", "dog"), boxes, ("a fault",))
    part = split.rows(np.array([2, 0]))
    assert (len(split), len(part)) == (3, 2)
    for place, row in enumerate([2, 0]):
        np.testing.assert_array_equal(part.images[place], images[row])
    np.testing.assert_array_equal(part.targets, TARGETS[[2, 0]])
    np.testing.assert_array_equal(part.boxes, boxes[[2, 0]])
    assert (part.class_names, part.faults) == (("cat", "dog"), ("a fault",))


def test_rows_without_boxes_have_none():
    assert Split(IMAGES["paths"], TARGETS, ("cat", "dog")).rows(np.array([1])).boxes is None


def test_no_rows_make_an_empty_split():
    assert len(Split(IMAGES["arrays"], TARGETS, ("cat", "dog")).rows(np.array([], int))) == 0
