"""The splits that a configuration names, checked."""

from pathlib import Path

import numpy as np
import pytest
import torch

from margin_bench.data.split import Split
from margin_bench.errors import ConfigError, DataError
from margin_bench.runs.parts import load_splits, loss_of


def load(split: str, images: list[Path | str], num_positives: int) -> Split:
    targets = (np.arange(len(images)) < num_positives).astype(np.int8)[:, np.newaxis]
    return Split(images, targets, ("any",))


def group(images: list[Path | str], num_positives: int) -> dict[str, object]:
    return {"name": "mine", "_target_": f"{__name__}:load", "images": images, "num_positives": num_positives}


@pytest.mark.parametrize(("num_samples", "num_positives", "share"), [(10, 1, 0.2), (10, 1, 0.8), (1, 1, 0.5)])
def test_a_holdout_that_leaves_a_part_without_a_positive_is_refused(num_samples, num_positives, share):
    images = [Path(f"{number}.jpg") for number in range(num_samples)]
    with pytest.raises(DataError, match="a part without a positive"):
        load_splits(group(images, num_positives), holdout=share)


def test_class_frequencies_are_counted_not_given():
    loss = {"name": "mine", "_target_": "margin_bench.losses.WeightedBCELoss", "class_frequencies": 3}
    split = load("train", [Path("a.jpg")], 1)
    with pytest.raises(ConfigError, match="leave it out"):
        loss_of(loss, split, torch.device("cpu"))


@pytest.mark.parametrize(
    ("images", "num_positives", "said"),
    [
        (["a.jpg", "b.jpg"], 2, "images that are no paths"),
        (np.zeros((2, 8, 8, 3), np.float32), 2, "give uint8"),
        (np.zeros((2, 8, 8), np.uint8), 2, "give uint8"),
        ([Path("a.jpg")], 0, "holds no positive"),
    ],
)
def test_a_split_that_cannot_be_trained_on_is_refused(images, num_positives, said):
    with pytest.raises(DataError, match=f"the train split of dataset=mine .*\n?.*{said}"):
        load_splits(group(images, num_positives), holdout=0.0)
