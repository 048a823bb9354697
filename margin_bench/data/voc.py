"""Read PASCAL VOC 2007 and 2012, in the folders of the development kit."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.image_files import require
from margin_bench.data.split import Split
from margin_bench.data.text_files import read_text
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

CLASS_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
SET_OF_SPLIT = {
    2007: {"train": "trainval", "test": "test"},
    2012: {"train": "train", "test": "val"},  # the labels of its test images are not public
}
MEANING = {"unlabeled": UNLABELED, "negative": NEGATIVE, "positive": POSITIVE}


def load(
    split: Literal["train", "test"],
    root: str | Path,
    year: int,
    difficult: str,
    keep_empty: bool,
    follow_links: bool = False,
) -> Split:
    """Load VOC's trainval or test images of 2007, or its train or val images of 2012, with 20 classes.

    Args:
        split: "train" or "test".
        root: the folder with `VOCdevkit/VOC{year}/ImageSets/Main/*.txt` and `.../JPEGImages/`, or VOCdevkit itself.
        year: 2007 or 2012.
        difficult: what a class is in an image where all its objects are difficult: `unlabeled`, `negative` or
            `positive`.
        keep_empty: whether to keep images without a positive.
        follow_links: whether image files may be links out of the root.

    Raises:
        ValueError: the year, or the meaning of difficult, is unknown.
        DataError: a file or folder is missing.
    """
    if year not in SET_OF_SPLIT:
        raise ValueError(f"year: expected one of {', '.join(map(str, SET_OF_SPLIT))}, got {year}.")
    if difficult not in MEANING:
        raise ValueError(f"difficult: expected one of {', '.join(MEANING)}, got {difficult}.")
    root, name = Path(root), SET_OF_SPLIT[year][split]
    kit = "" if (root / f"VOC{year}").is_dir() else "VOCdevkit/"
    folder = f"{kit}VOC{year}"
    lists = [f"{folder}/ImageSets/Main/{class_name}_{name}.txt" for class_name in CLASS_NAMES]
    require(root, [*lists, f"{folder}/JPEGImages"], f"margin-bench data prepare voc{year}")
    files = [root / each for each in lists]
    options = {"format": "voc", "folder": folder, "difficult": difficult}
    annotations = indexed(files, partial(read_annotations, files, folder, MEANING[difficult]), options)
    return to_split(annotations, root, keep_empty=keep_empty, follow_links=follow_links)


def read_annotations(files: list[Path], folder: str, difficult: int) -> Annotations:
    """Read the images in the order of the first class's list.

    Args:
        files: the list of each class: an image and 1, -1 or 0 (difficult) on each line.
        folder: `VOC{year}`, relative to the data set's folder.
        difficult: what 0 means: POSITIVE, NEGATIVE or UNLABELED.
    """
    meaning = {"1": POSITIVE, "-1": NEGATIVE, "0": difficult}
    faults: list[str] = []
    columns = [_read_list(file, meaning, faults) for file in files]
    names = list(columns[0])
    for file, column in zip(files[1:], columns[1:], strict=True):
        faults += [
            f"{file.name} lists {name}, and {files[0].name} does not" for name in sorted(column.keys() - columns[0])
        ]
        faults += [f"{file.name} does not list {name}" for name in sorted(columns[0].keys() - column)]
    values = [[column.get(name, UNLABELED) for column in columns] for name in names]
    return Annotations(
        [f"{folder}/JPEGImages/{name}.jpg" for name in names],
        np.array(values, np.int8).reshape(len(names), len(files)),
        CLASS_NAMES,
        faults=tuple(faults),
    )


def _read_list(file: Path, meaning: dict[str, int], faults: list[str]) -> dict[str, int]:
    """Read what one class is in each image."""
    labels: dict[str, int] = {}
    for number, line in enumerate(read_text(file, errors="replace").splitlines(), start=1):
        match line.split():
            case []:
                continue
            case [name, value] if value in meaning and name not in labels:
                labels[name] = meaning[value]
            case [name, value] if value in meaning:
                faults.append(f"{file.name}, line {number}: {name} stands there a second time")
            case _:
                faults.append(f"{file.name}, line {number}: expected an image and 1, -1 or 0, found {line.strip()!r}")
    return labels
