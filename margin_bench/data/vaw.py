"""Read VAW: crops of objects in Visual Genome's images with 620 attributes, most of them unmarked."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.boxes import box_fault, from_corner_and_size
from margin_bench.data.image_files import require
from margin_bench.data.split import Split
from margin_bench.data.text_files import read_json
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

FILES_OF_SPLIT = {"train": ("train_part1.json", "train_part2.json", "val.json"), "test": ("test.json",)}
CLASSES_FILE = "attribute_index.json"
IMAGE_FOLDERS = ("VG_100K", "VG_100K_2")  # Visual Genome's images come in two archives


def load(split: Literal["train", "test"], root: str | Path, keep_empty: bool, follow_links: bool = False) -> Split:
    """Load the annotated objects of VAW's train and val files, or of its test file.

    An attribute that is not marked is unlabeled.

    Args:
        split: "train" or "test".
        root: the folder with `{train_part1,train_part2,val,test}.json`, `attribute_index.json`, and Visual Genome's
            `VG_100K/*.jpg` and `VG_100K_2/*.jpg`.
        keep_empty: whether to keep objects without a positive.
        follow_links: whether image files may be links out of the root.

    Raises:
        DataError: a file or folder is missing, or the annotations are not in the format of the data set.
    """
    root = Path(root)
    require(root, [CLASSES_FILE, *FILES_OF_SPLIT[split], *IMAGE_FOLDERS], "margin-bench data prepare vaw")
    files = [root / name for name in FILES_OF_SPLIT[split]]
    parse = partial(read_annotations, files, root / CLASSES_FILE)
    annotations = indexed([root / CLASSES_FILE, *files], parse, {"format": "vaw"})
    second = {entry.name for entry in os.scandir(root / IMAGE_FOLDERS[1])}
    names = [f"{IMAGE_FOLDERS[name in second]}/{name}" for name in annotations.file_names]
    return to_split(replace(annotations, file_names=names), root, keep_empty=keep_empty, follow_links=follow_links)


def read_annotations(files: Sequence[Path], classes_file: Path) -> Annotations:
    """Read the objects of all files in their order, with the names of their images without a folder.

    Args:
        files: lists of objects with image_id, instance_id, instance_bbox, positive_attributes, negative_attributes.
        classes_file: the column of each attribute.

    Raises:
        DataError: a file is not in the format of the data set.
    """
    try:
        column_of = read_json(classes_file)
        class_names = tuple(sorted(column_of, key=lambda name: int(column_of[name])))
        column_of = {name: column for column, name in enumerate(class_names)}
        objects = [each for file in files for each in read_json(file)]
        checked = [(each, _fault(each, column_of)) for each in objects]
        file_of = {each["instance_id"]: f"{each['image_id']}.jpg" for each in objects}
        counts = Counter(each["instance_id"] for each in objects)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected VAW's objects in {', '.join(file.name for file in files)}, and the classes in {classes_file},\n"
            f"reading them failed ({type(error).__name__}: {error})."
        ) from None
    faults = [f"instance {each['instance_id']}: {fault}" for each, fault in checked if fault]
    faults += [f"instance {instance_id} stands {count} times" for instance_id, count in counts.items() if count > 1]
    good = [each for each, fault in checked if not fault and counts[each["instance_id"]] == 1]
    targets = np.full((len(good), len(class_names)), UNLABELED, np.int8)
    for row, each in zip(targets, good, strict=True):
        row[[column_of[name] for name in each["negative_attributes"]]] = NEGATIVE
        row[[column_of[name] for name in each["positive_attributes"]]] = POSITIVE
    return Annotations(
        [file_of[each["instance_id"]] for each in good],
        targets,
        class_names,
        from_corner_and_size([each["instance_bbox"] for each in good]),
        tuple(faults),
    )


def _fault(each: Mapping[str, Any], column_of: Mapping[str, int]) -> str | None:
    positive, negative = set(each["positive_attributes"]), set(each["negative_attributes"])
    if unknown := (positive | negative) - column_of.keys():
        return f"unknown attribute {', '.join(sorted(unknown))}"
    if both := positive & negative:
        return f"both positive and negative: {', '.join(sorted(both))}"
    return box_fault(each["instance_bbox"])
