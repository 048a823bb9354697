"""MS-COCO, and data sets in its format and folders."""

import contextlib
import io
import itertools
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO

from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE

FOLDER_OF_SPLIT = {"train": "train", "test": "val"}  # the labels of COCO's own test images are not public


def load(split: Literal["train", "test"], root: str | Path | None, year: int) -> Split:
    """COCO's training images, or its validation images as the test split.

    The classes stand in the order of their category ids. A class is positive if any object of it is annotated, a crowd
    too. Images without annotation are left out.

    Args:
        split: "train" or "test".
        root: the folder with `annotations/instances_{train,val}{year}.json` and `{train,val}{year}/*.jpg`.
        year: 2014, as in the paper, or 2017.

    Raises:
        DataError: a file or folder is missing, or the annotations are not what COCO's format says.
    """
    name = f"{FOLDER_OF_SPLIT[split]}{year}"
    layout = f"annotations/instances_{name}.json and {name}/*.jpg"
    if root is None:
        raise DataError(f"COCO's folder is not given: set dataset.root=DIR to the one that holds\n{layout}.")
    annotation_file = Path(root, "annotations", f"instances_{name}.json")
    folder = Path(root, name)
    if not (annotation_file.is_file() and folder.is_dir()):
        raise DataError(f"Expected {layout} in {root},\nat least one is missing. Check dataset.root and dataset.year.")
    file_names, targets, class_names = _read_annotations(annotation_file)
    _check_files(file_names, folder)
    return Split([folder / file_name for file_name in file_names], targets, class_names)


def _read_annotations(file: Path) -> tuple[list[str], NDArray[np.int8], tuple[str, ...]]:
    """File names and targets (N, C) of the annotated images in the order of their ids, and the C class names."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the reader prints its progress
            coco = COCO(str(file))
        return _tabulate(coco, file)
    except (AssertionError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected COCO's object annotations with images, annotations and categories in {file},\n"
            f"reading them failed ({type(error).__name__}: {error})."
        ) from None


def _tabulate(coco: Any, file: Path) -> tuple[list[str], NDArray[np.int8], tuple[str, ...]]:
    images, objects, categories = (coco.dataset[key] for key in ("images", "annotations", "categories"))
    row_of = _positions([image["id"] for image in images], "image", file)
    column_of = _positions([category["id"] for category in categories], "category", file)
    targets = np.full((len(row_of), len(column_of)), NEGATIVE, np.int8)
    for each in objects:
        row, column = row_of.get(each["image_id"]), column_of.get(each["category_id"])
        if row is None or column is None:
            raise DataError(
                f"{file}:\nannotation {each.get('id')} is of image {each['image_id']} and category "
                f"{each['category_id']}, and the file does not list both. Remove the annotation."
            )
        targets[row, column] = POSITIVE
    file_names = [coco.imgs[image_id]["file_name"] for image_id in row_of]
    annotated = (targets == POSITIVE).any(axis=1)
    if not annotated.any():
        raise DataError(f"{file} annotates no image.")
    kept = list(itertools.compress(file_names, annotated))
    return kept, targets[annotated], tuple(coco.cats[category_id]["name"] for category_id in column_of)


def _positions(ids: list[int], what: str, file: Path) -> dict[int, int]:
    """The place of each id in ascending order."""
    position_of = {each: position for position, each in enumerate(sorted(ids))}
    if len(position_of) < len(ids):
        raise DataError(f"{file} lists the same {what} id twice. Each must stand once.")
    return position_of


def _check_files(file_names: list[str], folder: Path) -> None:
    """All files are in the folder itself, so that annotations from elsewhere cannot make us read other files."""
    with os.scandir(folder) as entries:
        is_link = {entry.name: entry.is_symlink() for entry in entries}
    missing = [name for name in file_names if name not in is_link]
    if missing:
        raise DataError(
            f"Expected each annotated image as a file directly in {folder},\n"
            f"{len(missing)} of {len(file_names)} are missing: {', '.join(missing[:3])}{', ...' * (len(missing) > 3)}."
        )
    root = folder.parent.resolve()
    for file in [folder, *(folder / name for name in file_names if is_link[name])]:
        if not file.resolve().is_relative_to(root):
            raise DataError(
                f"{file} is a link to {file.resolve()},\nout of dataset.root={folder.parent}. Use the file itself."
            )
