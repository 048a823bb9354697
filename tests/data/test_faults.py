"""What an examination of a data set finds, in splits made by hand; `margin-bench data check` shows it."""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from PIL import Image

from margin_bench.data.faults import examine
from margin_bench.data.split import ImageFiles, Split
from margin_bench.errors import RunError
from tests.helpers import made

NAMES = ("cat", "dog", "cow")


@pytest.fixture
def folder(tmp_path):
    """Four images: 0.jpg to 3.jpg."""
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(made.jpeg(number))
    return tmp_path


def split_of(folder, *numbers, targets=None, **more):
    files = ImageFiles(folder, np.array([f"{number}.jpg".encode() for number in numbers]))
    return Split(files, np.eye(3, dtype=np.int8)[list(numbers)] if targets is None else targets, NAMES, **more)


def faults_of(train, test, workers=0):
    return examine({"train": train, "test": test}, {"train": len(train), "test": len(test)}, workers).faults


def test_counts_are_those_of_each_split(folder):
    train = split_of(folder, 0, 1, targets=np.array([[1, 1, 0], [1, 1, -1]], np.int8))
    report = examine({"train": train, "test": split_of(folder, 2)}, {"train": 5, "test": 1}, workers=0)
    assert report.faults == []
    assert report.class_names == NAMES
    assert report.splits == {
        "train": {
            "samples": 2,
            "left_out": 3,
            "labels_per_sample": 2.0,
            "unlabeled_share": pytest.approx(1 / 6),
            "positives": [2, 2, 0],
        },
        "test": {
            "samples": 1,
            "left_out": 0,
            "labels_per_sample": 1.0,
            "unlabeled_share": 0.0,
            "positives": [0, 0, 1],
        },
    }


def test_pairs_are_counted_over_training_samples_the_most_frequent_first(folder):
    targets = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], np.int8)
    report = examine(
        {"train": split_of(folder, 0, 1, 2, targets=targets), "test": split_of(folder, 2)}, {"train": 3, "test": 1}, 0
    )
    assert report.pairs[0] == ("cat", "dog", 2)
    assert sorted(report.pairs[1:]) == [("cat", "cow", 1), ("dog", "cow", 1)]


def test_faults_of_the_annotations_are_passed_on(folder):
    assert faults_of(split_of(folder, 0, faults=("one",)), split_of(folder, 1, faults=("two",))) == [
        "train: one",
        "test: two",
    ]


def test_labels_that_are_signs_are_a_fault(folder):
    (fault,) = faults_of(split_of(folder, 0, targets=np.array([[1, -1, -1]], np.int8)), split_of(folder, 1))
    assert fault.startswith("train: Targets: expected 1 (positive)")
    assert "\n" not in fault


def test_other_classes_in_the_test_split_are_a_fault(folder):
    test = Split(split_of(folder, 1).images, np.eye(3, dtype=np.int8)[:1], NAMES[::-1])
    assert faults_of(split_of(folder, 0), test) == ["the splits have different classes, or the same in another order"]


def test_an_image_that_both_splits_have_is_a_fault_of_files_and_of_arrays(folder):
    (folder / "3.jpg").write_bytes(made.jpeg(0))
    test = split_of(folder, 3, targets=np.eye(3, dtype=np.int8)[:1])
    assert faults_of(split_of(folder, 0), test) == [
        f"train and test share an image: '{folder}/0.jpg' and '{folder}/3.jpg'"
    ]
    images = np.arange(3, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    arrays = [Split(images[rows], np.eye(3, dtype=np.int8)[rows], NAMES) for rows in ([0, 1], [2, 1])]
    assert faults_of(*arrays) == ["train and test share an image: sample 1 and sample 1"]


def spoilt(folder, spoil):
    """What an examination finds where an image of the training split was spoilt."""
    path = folder / "1.jpg"
    content = spoil(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    splits = {"train": split_of(folder, 0, 1), "test": split_of(folder, 2)}
    return examine(splits, {"train": 2, "test": 1}, 0)


@pytest.mark.parametrize("name", made.IMAGE_FAULTS)
def test_a_faulty_image_is_named(folder, name):
    spoil, said = made.IMAGE_FAULTS[name]
    (fault,) = spoilt(folder, spoil).faults
    assert fault.startswith("train: ")
    assert "1.jpg" in fault
    assert said in fault


@pytest.mark.parametrize("name", made.IMAGE_NOTES)
def test_an_odd_image_that_a_run_reads_is_noted_and_no_fault(folder, name):
    spoil, said = made.IMAGE_NOTES[name]
    report = spoilt(folder, spoil)
    assert report.faults == []
    (note,) = [note for note in report.notes if "1.jpg" in note]
    assert said in note


def test_workers_find_the_same_in_the_same_order(folder):
    for number in (0, 1):
        (folder / f"{number}.jpg").write_text("no image", encoding="utf-8")
    splits = split_of(folder, 1, 0), split_of(folder, 2)
    found = faults_of(*splits, workers=2)
    assert [fault.split()[5] for fault in found] == [f"'{folder}/1.jpg':", f"'{folder}/0.jpg':"]
    assert found == faults_of(*splits, workers=0)


def test_every_box_of_an_image_is_looked_at(folder):
    boxes = np.array([[0, 0, 5, 5], [20, 20, 30, 30], [24, 0, 30, 5], [0, -5, 5, 0]], np.float32)
    train = split_of(folder, 0, 0, 0, 0, targets=np.eye(3, dtype=np.int8)[[0, 1, 2, 0]], boxes=boxes)
    assert faults_of(train, split_of(folder, 1)) == [
        f"train: '{folder}/0.jpg' has 24 x 24 pixels, and a box at {box}" for box in ("24, 0, 30, 5", "0, -5, 5, 0")
    ]


def test_a_link_out_of_the_folder_is_a_fault_and_is_not_read(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    (folder / "1.jpg").rename(elsewhere)
    (folder / "1.jpg").symlink_to(elsewhere)
    elsewhere.write_text("no image", encoding="utf-8")
    assert faults_of(split_of(folder, 0, 1), split_of(folder, 2)) == [
        f"train: '{folder}/1.jpg' is a linked file, to {elsewhere}, out of {folder}"
    ]


def test_plain_colour_and_grey_are_no_faults(folder):
    Image.new("L", (4, 4)).save(folder / "1.jpg")
    assert faults_of(split_of(folder, 0, 1), split_of(folder, 2)) == []


def test_a_killed_worker_ends_the_examination(folder, monkeypatch):
    def broken(*arguments, **options):
        raise BrokenProcessPool("a process was terminated abruptly")

    monkeypatch.setattr(ProcessPoolExecutor, "map", broken)
    with pytest.raises(RunError, match="Use fewer: workers=1"):
        faults_of(split_of(folder, 0), split_of(folder, 1), workers=1)
