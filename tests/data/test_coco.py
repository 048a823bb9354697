"""Read COCO's annotations, sound and faulty."""

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from pycocotools.coco import COCO

from margin_bench.config.build import build
from margin_bench.data import coco
from margin_bench.data.image_files import check_image_files
from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE

CONFIGS = Path(__file__).parents[2] / "configs"

# Ids in neither the order of the file nor without gaps; image 30 has no annotation; the crowd is all of the car in 20.
ANNOTATIONS: dict[str, Any] = {
    "images": [{"id": 20, "file_name": "b.jpg"}, {"id": 30, "file_name": "c.jpg"}, {"id": 10, "file_name": "a.jpg"}],
    "categories": [{"id": 90, "name": "brush"}, {"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
    "annotations": [
        {"id": 1, "image_id": 20, "category_id": 3, "iscrowd": 1},
        {"id": 2, "image_id": 10, "category_id": 90, "iscrowd": 0},
        {"id": 3, "image_id": 10, "category_id": 1, "iscrowd": 0},
        {"id": 4, "image_id": 10, "category_id": 1, "iscrowd": 0},
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in COCO's layout with the annotations above for both splits, and empty image files."""
    for name in ("train2014", "val2014"):
        (tmp_path / name).mkdir()
        for file_name in "abc":
            (tmp_path / name / f"{file_name}.jpg").touch()
        write(tmp_path, ANNOTATIONS, name)
    return tmp_path


def write(root: Path, annotations: Any, name: str = "train2014") -> None:
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{name}.json").write_text(json.dumps(annotations), encoding="utf-8")


def changed(key: str, entry: int, **values: Any) -> dict[str, Any]:
    """The annotations with some values of one entry replaced."""
    entries = list(ANNOTATIONS[key])
    entries[entry] = entries[entry] | values
    return ANNOTATIONS | {key: entries}


def load(split: Any, root: Path, year: int = 2014) -> Split:
    loaded = coco.load(split, root, year, keep_empty=False)
    check_image_files(loaded.images)
    return loaded


def assert_refused(root: Path, *parts: str, year: int = 2014) -> None:
    with pytest.raises(DataError) as refused:
        load("train", root, year)
    message = str(refused.value)
    assert len(message.splitlines()) <= 3
    for part in parts:
        assert part in message


@pytest.mark.parametrize(("split", "folder"), [("train", "train2014"), ("test", "val2014")])
def test_annotated_images_in_the_order_of_their_ids(root: Path, split: Any, folder: str) -> None:
    loaded = load(split, root)
    assert list(loaded.images) == [root / folder / "a.jpg", root / folder / "b.jpg"]
    assert loaded.class_names == ("person", "car", "brush")
    assert loaded.targets.dtype == np.int8
    np.testing.assert_array_equal(loaded.targets, [[POSITIVE, NEGATIVE, POSITIVE], [NEGATIVE, POSITIVE, NEGATIVE]])


def test_nothing_is_printed(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load("train", root)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("year", [2014, 2017])
def test_a_folder_without_the_files_is_named(tmp_path: Path, year: int) -> None:
    assert_refused(tmp_path / "none", str(tmp_path / "none"), f"instances_train{year}.json", year=year)


def test_a_missing_image_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, ANNOTATIONS)
    assert_refused(tmp_path, "train2014 is missing", str(tmp_path))


def test_annotations_that_are_not_json_are_named(root: Path) -> None:
    (root / "annotations" / "instances_train2014.json").write_text('{"images": [', encoding="utf-8")
    assert_refused(root, "instances_train2014.json", "not JSON")


@pytest.mark.parametrize(
    "annotations",
    [
        [],
        None,
        {},
        {"images": [], "categories": []},
        {"images": None, "annotations": None, "categories": None},
        changed("images", 0, id=[]),
        ANNOTATIONS | {"images": ["a.jpg"]},
        ANNOTATIONS | {"annotations": [{"id": 1}]},
        ANNOTATIONS | {"categories": [{"id": 1}]},
        ANNOTATIONS | {"images": [{"id": 10}, {"id": 20}]},
    ],
)
def test_json_that_is_not_coco_is_named(root: Path, annotations: Any) -> None:
    write(root, annotations)
    assert_refused(root, "instances_train2014.json")


def test_captions_in_place_of_objects_are_refused(root: Path) -> None:
    write(root, {"images": ANNOTATIONS["images"], "annotations": [{"id": 1, "image_id": 10, "caption": "A cat."}]})
    assert_refused(root, "categories", "KeyError")


def test_an_unknown_category_is_a_fault(root: Path) -> None:
    write(root, changed("annotations", 1, category_id=2))
    assert load("train", root).faults == ("annotation 2 is of category 2, which is not listed",)


def test_an_annotation_of_an_unknown_image_is_a_fault(root: Path) -> None:
    write(root, changed("annotations", 0, image_id=99))
    assert load("train", root).faults == ("annotation 1 is of image 99, which is not listed",)


@pytest.mark.parametrize(("key", "what"), [("images", "image"), ("categories", "category")])
def test_an_id_that_stands_twice_is_a_fault(root: Path, key: str, what: str) -> None:
    number = ANNOTATIONS[key][1]["id"]
    write(root, changed(key, 0, id=number))
    assert f"{what} id {number} stands more than once" in load("train", root).faults


def test_two_classes_of_one_name_are_a_fault(root: Path) -> None:
    write(root, changed("categories", 0, name="car"))
    assert load("train", root).faults == ("category name 'car' stands more than once",)


def test_an_image_file_that_stands_twice_is_a_fault(root: Path) -> None:
    write(root, changed("images", 0, file_name="a.jpg"))
    assert load("train", root).faults == ("image file 'a.jpg' stands more than once",)


def test_a_file_without_annotations_is_refused(root: Path) -> None:
    write(root, ANNOTATIONS | {"annotations": []})
    assert_refused(root, "mark no sample with a class")


def test_missing_images_are_counted_and_the_first_ones_named(root: Path) -> None:
    ids = range(100, 105)
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in ids]
    objects = [{"id": i, "image_id": i, "category_id": 1} for i in ids]
    write(root, ANNOTATIONS | {"images": images, "annotations": objects})
    assert_refused(
        root, f"5 of 5 are missing in {root}: 'train2014/100.jpg', 'train2014/101.jpg', 'train2014/102.jpg', ..."
    )


def test_a_missing_image_without_annotation_does_not_matter(root: Path) -> None:
    (root / "train2014" / "c.jpg").unlink()
    assert len(load("train", root)) == 2


@pytest.mark.parametrize("file_name", ["../../etc/passwd", ".."])
def test_a_file_name_that_leads_out_is_a_fault(root: Path, file_name: str) -> None:
    write(root, changed("images", 2, file_name=file_name))
    loaded = load("train", root)
    assert loaded.faults == (f"{f'train2014/{file_name}'!r}: this file name leads out of the data set",)
    assert list(loaded.images) == [root / "train2014" / "b.jpg"]


def test_a_name_that_leads_out_and_back_is_read(root: Path) -> None:
    write(root, changed("images", 2, file_name="../val2014/a.jpg"))
    assert list(load("train", root).images) == [root / "val2014" / "a.jpg", root / "train2014" / "b.jpg"]


def test_an_absolute_name_out_of_the_root_is_a_fault(root: Path) -> None:
    write(root, changed("images", 2, file_name="/etc/passwd"))
    assert load("train", root).faults == ("'/etc/passwd': this file name leads out of the data set",)


@pytest.mark.parametrize("file_name", [".", ""])
def test_a_name_that_is_no_file_of_the_folder_is_missing(root: Path, file_name: str) -> None:
    write(root, changed("images", 2, file_name=file_name))
    assert_refused(root, "1 of 2 are missing")


def test_a_link_out_of_the_root_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    secret.touch()
    (root / "train2014" / "a.jpg").unlink()
    (root / "train2014" / "a.jpg").symlink_to(secret)
    assert_refused(root, str(root / "train2014" / "a.jpg"), f"out of {root}")


def test_a_folder_that_links_out_of_the_root_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = (root / "train2014").rename(tmp_path_factory.mktemp("elsewhere") / "train2014")
    (root / "train2014").symlink_to(moved)
    assert_refused(root, f"out of {root}")


def test_links_inside_the_root_and_a_linked_root_are_fine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "train2014" / "a.jpg").unlink()
    (root / "train2014" / "a.jpg").symlink_to(root / "val2014" / "a.jpg")
    linked_root = tmp_path_factory.mktemp("links") / "coco"
    linked_root.symlink_to(root)
    assert len(load("train", linked_root)) == 2


def test_the_config_loads_the_data_set(root: Path) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(overrides=["+dataset=coco", f"dataset.root={root}"]).dataset
    assert config.name == "coco"
    assert len(build(config, split="test")) == 2


@pytest.mark.skipif("MARGIN_BENCH_COCO_MINI" not in os.environ, reason="needs a folder of real COCO images")
@pytest.mark.parametrize(("split", "num_images"), [("train", 80), ("test", 79)])
def test_real_files(split: Any, num_images: int) -> None:
    root = Path(os.environ["MARGIN_BENCH_COCO_MINI"])
    loaded = load(split, root, 2017)
    assert loaded.targets.shape == (num_images, 80)
    assert loaded.faults == ()
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(root / "annotations" / f"instances_{coco.FOLDER_OF_SPLIT[split]}2017.json"))
    assert loaded.class_names == tuple(each["name"] for each in theirs.loadCats(sorted(theirs.getCatIds())))
    for path, targets in zip(loaded.images, loaded.targets, strict=True):
        (image_id,) = (each["id"] for each in theirs.dataset["images"] if each["file_name"] == path.name)
        labels = {each["category_id"] for each in theirs.loadAnns(theirs.getAnnIds(imgIds=[image_id]))}
        assert (targets == POSITIVE).sum() == len(labels)
