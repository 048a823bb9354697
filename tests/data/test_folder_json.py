"""A user's own annotations in COCO's format."""

from typing import Any

import numpy as np
import pytest

from margin_bench.cli import main
from margin_bench.data import folder_json
from margin_bench.errors import DataError
from tests.helpers import made


@pytest.fixture
def files(tmp_path):
    """Two annotation files, their images in folders of any name."""
    for name, number in (("train", 0), ("test", 1)):
        content: dict[str, Any] = {
            "images": [{"id": 1, "file_name": f"{name}/x.jpg"}, {"id": 2, "file_name": f"{name}/deep/y.jpg"}],
            "categories": [{"id": 7, "name": "leaf"}, {"id": 5, "name": "stem"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 7}, {"id": 2, "image_id": 2, "category_id": 5}],
        }
        made.write_json(tmp_path / f"{name}.json", content)
        for image in content["images"]:
            path = tmp_path / "images" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made.jpeg(10 * number + image["id"]))
    return tmp_path


def test_images_are_found_below_the_root(files):
    split = folder_json.load("test", files / "train.json", files / "test.json", files / "images", keep_empty=False)
    assert split.class_names == ("stem", "leaf")
    np.testing.assert_array_equal(split.targets, [[0, 1], [1, 0]])
    assert list(split.images) == [files / "images/test/x.jpg", files / "images/test/deep/y.jpg"]


def test_without_a_root_names_count_from_the_annotations(files):
    split = folder_json.load("train", files / "train.json", files / "test.json", None, keep_empty=False)
    assert split.images[0] == files / "train/x.jpg"


def test_a_check_finds_nothing(files):
    words = [f"dataset.file={files}/train.json", f"dataset.test_file={files}/test.json", f"dataset.root={files}/images"]
    assert main(["data", "check", "folder_json", *words, "workers=0"]) == 0


def test_a_missing_file_is_named(files):
    with pytest.raises(DataError, match=r"none\.json is no file"):
        folder_json.load("train", files / "none.json", files / "test.json", None, keep_empty=False)
