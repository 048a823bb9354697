"""Read VISPR: photographs with 68 attributes of privacy, one JSON file each."""

import json
import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.image_files import require
from margin_bench.data.split import Split
from margin_bench.targets import NEGATIVE, POSITIVE

FOLDERS_OF_SPLIT = {"train": ("train2017", "val2017"), "test": ("test2017",)}
NUMBERED = re.compile(r"a(\d+)_\w+")


def load(split: Literal["train", "test"], root: str | Path, keep_empty: bool, follow_links: bool = False) -> Split:
    """Load VISPR's train and val images, or its test images.

    The classes are the labels of the train and val images in the order of their numbers, `a0_safe` first.

    Args:
        split: "train" or "test".
        root: the folder with `{train,val,test}2017/`, each with images and a JSON file of the same name for each.
        keep_empty: whether to keep images without a label.
        follow_links: whether image files may be links out of the root.

    Raises:
        DataError: a folder is missing.
    """
    root = Path(root)
    require(
        root, [folder for folders in FOLDERS_OF_SPLIT.values() for folder in folders], "margin-bench data prepare vispr"
    )
    files = {
        name: [file for folder in folders for file in sorted((root / folder).glob("*.json"))]
        for name, folders in FOLDERS_OF_SPLIT.items()
    }
    train = indexed(files["train"], partial(read_annotations, files["train"], None), _options(files["train"]))
    if split == "train":
        return to_split(train, root, keep_empty=keep_empty, follow_links=follow_links)
    parse = partial(read_annotations, files["test"], train.class_names)
    test = indexed(files["test"], parse, {**_options(files["test"]), "classes": train.class_names})
    return to_split(test, root, keep_empty=keep_empty, follow_links=follow_links)


def read_annotations(files: Sequence[Path], class_names: Sequence[str] | None) -> Annotations:
    """Read JSON files that each hold `image_path` and `labels` of one image.

    Args:
        files: one for each image, beside it.
        class_names: the labels to expect. None: all that have the form `a<number>_<name>`.
    """
    faults: list[str] = []
    labels_of: dict[str, list[str]] = {}
    for file in files:
        where = f"{file.parent.name}/{file.name}"
        try:
            content = json.loads(file.read_bytes())
            name, labels = Path(content["image_path"]).name, [str(label) for label in content["labels"]]
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"{where}: expected image_path and labels ({type(error).__name__}: {error})")
            continue
        if Path(name).stem != file.stem:
            faults.append(f"{where}: it is of another image, {name}")
            continue
        known = [label for label in labels if (label in class_names if class_names else NUMBERED.fullmatch(label))]
        faults += [f"{where}: unknown label {label}" for label in labels if label not in known]
        labels_of[f"{file.parent.name}/{name}"] = known
    if class_names is None:
        found = {label for labels in labels_of.values() for label in labels}
        class_names = sorted(found, key=lambda label: (_number(label), label))
        for one, other in pairwise(class_names):
            if _number(one) == _number(other):
                faults.append(f"the labels {one} and {other} have one number: one of them is misspelled")
    column_of = {label: column for column, label in enumerate(class_names)}
    targets = np.full((len(labels_of), len(class_names)), NEGATIVE, np.int8)
    for row, labels in enumerate(labels_of.values()):
        targets[row, [column_of[label] for label in labels]] = POSITIVE
    return Annotations(list(labels_of), targets, tuple(class_names), faults=tuple(faults))


def _options(files: Sequence[Path]) -> dict[str, Any]:
    """Return what a result depends on besides the content of the files: their names, which are those of the images."""
    return {"format": "vispr", "files": [f"{file.parent.name}/{file.name}" for file in files]}


def _number(label: str) -> int:
    """Return the number of a label `a<number>_<name>`."""
    return int(label[1:].partition("_")[0])
