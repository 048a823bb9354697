"""Read MS-COCO, and data sets in its format and folders."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.image_files import require
from margin_bench.data.split import Split
from margin_bench.data.text_files import read_json
from margin_bench.errors import DataError
from margin_bench.runtime.gc_pause import without_collection
from margin_bench.targets import NEGATIVE, POSITIVE

Content = dict[str, list[Any]]  # of a file in COCO's format

YEARS = (2014, 2017)
FOLDER_OF_SPLIT = {"train": "train", "test": "val"}  # the labels of COCO's own test images are not public


def load(
    split: Literal["train", "test"], root: str | Path, year: int, keep_empty: bool, follow_links: bool = False
) -> Split:
    """Load COCO's training images, or its validation images as the test split.

    The classes stand in the order of their category ids. A class is positive if any object of it is annotated, be it a
    crowd.

    Args:
        split: "train" or "test".
        root: the folder with `annotations/instances_{train,val}{year}.json` and `{train,val}{year}/*.jpg`.
        year: 2014, as in the paper, or 2017.
        keep_empty: whether to keep images without an annotation.
        follow_links: whether image files may be links out of the root.

    Raises:
        DataError: a file or folder is missing, or the annotations are not in COCO's format.
    """
    root, name = Path(root), f"{FOLDER_OF_SPLIT[split]}{year}"
    file = root / _annotations(split, year)
    there = [other for other in YEARS if other != year and (root / _annotations(split, other)).is_file()]
    hint = f"dataset.year={there[0]}, whose annotations are there" if there else "margin-bench data prepare coco"
    require(root, [_annotations(split, year), name], hint)
    annotations = indexed([file], partial(read_annotations, file, name), {"format": "coco", "folder": name})
    return to_split(annotations, root, keep_empty=keep_empty, follow_links=follow_links)


def _annotations(split: str, year: int) -> str:
    return f"annotations/instances_{FOLDER_OF_SPLIT[split]}{year}.json"


def read_annotations(file: Path, folder: str) -> Annotations:
    """Read the images of a file in COCO's format, in the order of their ids.

    Args:
        file: JSON with `images`, `annotations` and `categories`.
        folder: of the image files, relative to the data set's folder; empty: that folder itself.

    Raises:
        DataError: the file is not in COCO's format.
        OSError: it cannot be read.
    """
    return tabulated(file, read_content(file), folder)


def read_content(file: Path) -> Content:
    """Read a file in COCO's format.

    Raises:
        DataError: it is not JSON.
    """
    with without_collection():
        content: Content = read_json(file)
    return content


def tabulated(file: Path, content: Content, folder: str) -> Annotations:
    """Make annotations of the content of a file in COCO's format.

    Args:
        file: for messages.
        content: of the file.
        folder: as in `read_annotations`.

    Raises:
        DataError: it is not in COCO's format.
    """
    try:
        with without_collection():
            return _tabulate(content, folder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected COCO's object annotations with images, annotations and categories in {file},\n"
            f"reading them failed ({type(error).__name__}: {error})."
        ) from None


def _tabulate(content: Content, folder: str) -> Annotations:
    images, categories, objects = content["images"], content["categories"], content["annotations"]
    faults = [
        f"{what} {value!r} stands more than once"
        for what, values in (
            ("image id", [image["id"] for image in images]),
            ("image file", [image["file_name"] for image in images]),
            ("category id", [category["id"] for category in categories]),
            ("category name", [category["name"] for category in categories]),
        )
        for value in _repeated(values)
    ]
    faults += [fault for category in categories if (fault := _category_fault(category))]
    image_of = {image["id"]: image for image in reversed(images)}
    category_of = {category["id"]: category for category in reversed(categories)}
    row_of = {image_id: row for row, image_id in enumerate(sorted(image_of))}
    column_of = {category_id: column for column, category_id in enumerate(sorted(category_of))}
    targets = np.full((len(row_of), len(column_of)), NEGATIVE, np.int8)
    for each in objects:
        row, column = row_of.get(each["image_id"]), column_of.get(each["category_id"])
        if row is None:
            faults.append(_not_listed(each, "image", row_of))
        elif column is None:
            faults.append(_not_listed(each, "category", column_of))
        else:
            targets[row, column] = POSITIVE
    return Annotations(
        [_below(folder, image_of[image_id]["file_name"]) for image_id in row_of],
        targets,
        tuple(str(category_of[category_id]["name"]).strip() for category_id in column_of),
        faults=tuple(faults),
        notes=tuple(_notes(objects)),
    )


def _category_fault(category: Mapping[str, Any]) -> str | None:
    name = category["name"]
    if (isinstance(name, str) and name.strip()) or (isinstance(name, int) and not isinstance(name, bool)):
        return None
    return f"category {category['id']!r} has the name {name!r}; expected a text"


def _not_listed(annotation: Mapping[str, Any], what: str, listed: Iterable[Hashable]) -> str:
    """Say that an annotation is of an image or a category that is not there, or only as a text or as a number."""
    value = annotation[f"{what}_id"]
    same = next((each for each in listed if str(each) == str(value)), None)
    kinds = {str: "a text", int: "a number", float: "a number with a point"}
    of_other_kind = (
        f": it is {kinds.get(type(value), type(value).__name__)}, and the id of the {what} is "
        f"{kinds.get(type(same), type(same).__name__)}"
    )
    return (
        f"annotation {annotation.get('id')!r} is of {what} {value!r}, which is not listed"
        f"{'' if same is None else of_other_kind}"
    )


def _notes(objects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if repeated := _repeated([each["id"] for each in objects if "id" in each]):
        yield f"annotation ids that stand more than once: {len(repeated):,}, as {repeated[0]!r}; no label needs them"


def _below(folder: str, name: Any) -> Any:
    is_relative = isinstance(name, str) and not name.startswith("/")
    return f"{folder}/{name}" if folder and is_relative else name


def _repeated(values: Iterable[Hashable]) -> list[Hashable]:
    """List the values that stand more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]
