"""Read a user's own images with annotations in COCO's format, of any classes and in any folder."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.coco import Content, read_content, tabulated
from margin_bench.data.split import Split
from margin_bench.errors import DataError


def load(
    split: Literal["train", "test"],
    file: str | Path,
    test_file: str | Path,
    root: str | Path | None,
    keep_empty: bool,
    test_root: str | Path | None = None,
    follow_links: bool = False,
) -> Split:
    """Load the images of one of two annotation files, in the order of their ids.

    A category of id 0 that has no annotation in either file is left out, as Roboflow writes one above the classes.

    Args:
        split: "train" or "test".
        file: JSON in COCO's format with `images`, `annotations` and `categories`; boxes and masks are not needed.
        test_file: the same for the test split, with the same categories.
        root: the folder that `file_name` counts from. None: that of the annotation file.
        keep_empty: whether to keep images without an annotation.
        test_root: as `root`, for the test split. None: as `root`.
        follow_links: whether image files may be links out of the root.

    Raises:
        ValueError: a file is none.
        DataError: a file is missing, or not in COCO's format.
    """
    for key, value in {"file": file, "test_file": test_file}.items():
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError(f"{key}: expected a file, got {value!r}.")
    files = [Path(file), Path(test_file)]
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} is no file.\nGive annotations as dataset.file=FILE and dataset.test_file=FILE.")
    number = 0 if split == "train" else 1
    options = {"format": "coco", "folder": "", "part": number}
    annotations = indexed(files, partial(read_annotations, files, number), options)
    own_root = (test_root or root) if number else root
    return to_split(
        annotations,
        Path(own_root) if own_root else files[number].parent,
        keep_empty=keep_empty,
        follow_links=follow_links,
    )


def read_annotations(files: Sequence[Path], number: int) -> Annotations:
    """Read the images of one of the files that make a data set, in the order of their ids.

    Args:
        files: all of them, in COCO's format.
        number: of the file to read, from 0.

    Raises:
        DataError: a file is not in COCO's format.
    """
    contents = [read_content(file) for file in files]
    root_name = _name_above_classes(contents)
    content = contents[number]
    if root_name is None:
        return tabulated(files[number], content, "")
    classes = [category for category in content["categories"] if not _is_first(category)]
    annotations = tabulated(files[number], {**content, "categories": classes}, "")
    note = f"the category {root_name!r} of id 0 has no annotation and is left out"
    return replace(annotations, notes=(note, *annotations.notes))


def _name_above_classes(contents: Sequence[Content]) -> str | None:
    """Return the name of the category that Roboflow writes above the classes; None if there is none.

    It has the id 0 in all files, and no annotation in any.
    """
    try:
        names = [[each["name"] for each in content["categories"] if _is_first(each)] for content in contents]
        used = any(each["category_id"] == 0 for content in contents for each in content["annotations"])
        has_others = all(len(content["categories"]) > 1 for content in contents)
    except (AttributeError, KeyError, TypeError):
        return None  # not in COCO's format, as `tabulated` tells
    is_everywhere = all(len(each) == 1 and each == names[0] for each in names)
    return str(names[0][0]) if is_everywhere and has_others and not used else None


def _is_first(category: dict[str, Any]) -> bool:
    return bool(category["id"] == 0)
