"""What a record says about its data."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from margin_bench.data.facts import facts, fingerprint
from margin_bench.data.split import Split

TARGETS = np.array([[1, 0], [-1, 1], [1, 1]], np.int8)
SPLIT = Split(
    [Path(f"/data/images/{name}.jpg") for name in "abc"], TARGETS, ("cat", "dog"), np.ones((3, 4), np.float32)
)


def test_facts_count_samples_and_labels():
    test = dataclasses.replace(SPLIT, images=SPLIT.images[:2], targets=TARGETS[:2], boxes=SPLIT.boxes[:2])
    found = facts(SPLIT, test)
    assert (found["num_train"], found["num_test"], found["class_names"]) == (3, 2, ["cat", "dog"])
    assert found["labels_per_sample"] == pytest.approx(4 / 3, abs=1e-4)
    assert found["fingerprints"] == {"train": fingerprint(SPLIT), "test": fingerprint(test)}


def test_a_fingerprint_does_not_depend_on_where_the_data_lies():
    elsewhere = [Path(f"/other/place/{name}.jpg") for name in "abc"]
    assert fingerprint(dataclasses.replace(SPLIT, images=elsewhere)) == fingerprint(SPLIT)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": TARGETS[::-1]},
        {"class_names": ("dog", "cat")},
        {"boxes": None},
        {"boxes": 2 * SPLIT.boxes},
        {"images": SPLIT.images[::-1]},
        {"images": np.zeros((3, 2, 2, 3), np.uint8), "boxes": None},
        {"images": np.ones((3, 2, 2, 3), np.uint8), "boxes": None},
    ],
)
def test_a_fingerprint_tells_any_change(change):
    changed = dataclasses.replace(SPLIT, **change)
    assert fingerprint(changed) != fingerprint(SPLIT)


def test_pixels_count():
    images = [np.full((3, 2, 2, 3), value, np.uint8) for value in (0, 1)]
    zero, one = (dataclasses.replace(SPLIT, images=array, boxes=None) for array in images)
    assert fingerprint(zero) != fingerprint(one)
