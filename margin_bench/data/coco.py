"""Read MS-COCO, and data sets in its format and folders."""

import contextlib
import io
from collections import Counter
from collections.abc import Hashable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pycocotools.coco import COCO

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.image_files import require
from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.runtime.gc_pause import without_collection
from margin_bench.targets import NEGATIVE, POSITIVE

FOLDER_OF_SPLIT = {"train": "train", "test": "val"}  # the labels of COCO's own test images are not public


def load(split: Literal["train", "test"], root: str | Path, year: int, keep_empty: bool) -> Split:
    """Load COCO's training images, or its validation images as the test split.

    The classes stand in the order of their category ids. A class is positive if any object of it is annotated, be it a
    crowd.

    Args:
        split: "train" or "test".
        root: the folder with `annotations/instances_{train,val}{year}.json` and `{train,val}{year}/*.jpg`.
        year: 2014, as in the paper, or 2017.
        keep_empty: whether to keep images without an annotation.

    Raises:
        DataError: a file or folder is missing, or the annotations are not in COCO's format.
    """
    root, name = Path(root), f"{FOLDER_OF_SPLIT[split]}{year}"
    file = root / "annotations" / f"instances_{name}.json"
    require(root, [str(file.relative_to(root)), name])
    annotations = indexed([file], partial(read_annotations, file, name), {"format": "coco", "folder": name})
    return to_split(annotations, root, keep_empty=keep_empty)


def read_annotations(file: Path, folder: str) -> Annotations:
    """Read the images of a file in COCO's format, in the order of their ids.

    Args:
        file: JSON with `images`, `annotations` and `categories`.
        folder: of the image files, relative to the data set's folder; empty: that folder itself.

    Raises:
        DataError: the file is not in COCO's format.
    """
    try:
        with without_collection(), contextlib.redirect_stdout(io.StringIO()):  # the reader prints its progress
            return _tabulate(COCO(str(file)).dataset, folder)
    except (AssertionError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected COCO's object annotations with images, annotations and categories in {file},\n"
            f"reading them failed ({type(error).__name__}: {error})."
        ) from None


def _tabulate(content: dict[str, list[Any]], folder: str) -> Annotations:
    faults = [
        f"{what} {value} stands more than once"
        for what, values in (
            ("image id", [image["id"] for image in content["images"]]),
            ("image file", [image["file_name"] for image in content["images"]]),
            ("category id", [category["id"] for category in content["categories"]]),
            ("category name", [category["name"] for category in content["categories"]]),
            ("annotation id", [each["id"] for each in content["annotations"]]),
        )
        for value in _repeated(values)
    ]
    image_of = {image["id"]: image for image in reversed(content["images"])}
    category_of = {category["id"]: category for category in reversed(content["categories"])}
    row_of = {image_id: row for row, image_id in enumerate(sorted(image_of))}
    column_of = {category_id: column for column, category_id in enumerate(sorted(category_of))}
    targets = np.full((len(row_of), len(column_of)), NEGATIVE, np.int8)
    for each in content["annotations"]:
        row, column = row_of.get(each["image_id"]), column_of.get(each["category_id"])
        if row is None:
            faults.append(f"annotation {each['id']} is of image {each['image_id']}, which is not listed")
        elif column is None:
            faults.append(f"annotation {each['id']} is of category {each['category_id']}, which is not listed")
        else:
            targets[row, column] = POSITIVE
    return Annotations(
        [_below(folder, image_of[image_id]["file_name"]) for image_id in row_of],
        targets,
        tuple(category_of[category_id]["name"] for category_id in column_of),
        faults=tuple(faults),
    )


def _below(folder: str, name: Any) -> Any:
    return f"{folder}/{name}" if folder and isinstance(name, str) else name


def _repeated(values: Iterable[Hashable]) -> list[Hashable]:
    """List the values that stand more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]
