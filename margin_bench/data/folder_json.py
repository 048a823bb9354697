"""Read a user's own images with annotations in COCO's format, of any classes and in any folder."""

from functools import partial
from pathlib import Path
from typing import Literal

from margin_bench.data.annotations import indexed, to_split
from margin_bench.data.coco import read_annotations
from margin_bench.data.split import Split
from margin_bench.errors import DataError


def load(
    split: Literal["train", "test"],
    file: str | Path,
    test_file: str | Path,
    root: str | Path | None,
    keep_empty: bool,
) -> Split:
    """Load the images of one of two annotation files, in the order of their ids.

    Args:
        split: "train" or "test".
        file: JSON in COCO's format with `images`, `annotations` and `categories`; boxes and masks are not needed.
        test_file: the same for the test split, with the same categories.
        root: the folder that `file_name` counts from. None: that of the annotation file.
        keep_empty: whether to keep images without an annotation.

    Raises:
        DataError: a file is missing, or not in COCO's format.
    """
    path = Path(file if split == "train" else test_file)
    if not path.is_file():
        raise DataError(f"{path} is no file.\nGive annotations as dataset.file=FILE and dataset.test_file=FILE.")
    annotations = indexed([path], partial(read_annotations, path, ""), {"format": "coco", "folder": ""})
    return to_split(annotations, Path(root) if root else path.parent, keep_empty=keep_empty)
