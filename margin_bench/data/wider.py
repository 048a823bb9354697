"""Read WIDER Attribute: crops of people with 14 attributes each."""

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
from margin_bench.targets import from_signs

NAME_OF_SPLIT = {"train": "trainval", "test": "test"}
ANNOTATION_FOLDERS = ("wider_attribute_annotation", "Annotations", ".")  # of the archive, and as others unpack it


def load(split: Literal["train", "test"], root: str | Path, keep_empty: bool, follow_links: bool = False) -> Split:
    """Load the annotated boxes of WIDER Attribute's trainval or test images.

    An attribute of 0 is unspecified, and so unlabeled.

    Args:
        split: "train" or "test".
        root: the folder with `wider_attribute_annotation/wider_attribute_{trainval,test}.json` and
            `Image/{train,val,test}/...`.
        keep_empty: whether to keep boxes without a positive.
        follow_links: whether image files may be links out of the root.

    Raises:
        DataError: a file or folder is missing, or the annotations are not in the format of the data set.
    """
    root, name = Path(root), f"wider_attribute_{NAME_OF_SPLIT[split]}.json"
    folder = next((each for each in ANNOTATION_FOLDERS if (root / each / name).is_file()), ANNOTATION_FOLDERS[0])
    require(root, [f"{folder}/{name}", "Image"], "margin-bench data prepare wider")
    file = root / folder / name
    annotations = indexed([file], partial(read_annotations, file), {"format": "wider"})
    return to_split(annotations, root, keep_empty=keep_empty, follow_links=follow_links)


def read_annotations(file: Path) -> Annotations:
    """Read the boxes of all images, in the order of the file.

    Raises:
        DataError: the file is not in the format of the data set.
    """
    try:
        content = read_json(file)
        class_names = tuple(content["attribute_id_map"][key] for key in sorted(content["attribute_id_map"], key=int))
        boxes = [
            (image["file_name"], target["attribute"], target["bbox"])
            for image in content["images"]
            for target in image["targets"]
        ]
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected images with targets of attribute and bbox, and attribute_id_map in {file},\n"
            f"reading them failed ({type(error).__name__}: {error})."
        ) from None
    faults = {
        index: fault
        for index, (_, attributes, box) in enumerate(boxes)
        if (fault := _fault(attributes, box, len(class_names)))
    }
    good = [entry for index, entry in enumerate(boxes) if index not in faults]
    signs = np.array([attributes for _, attributes, _ in good], np.int8).reshape(-1, len(class_names))
    return Annotations(
        [f"Image/{name}" for name, _, _ in good],
        from_signs(signs),
        class_names,
        from_corner_and_size([box for _, _, box in good]),
        tuple(f"{boxes[index][0]}, box {boxes[index][2]}: {fault}" for index, fault in faults.items()),
    )


def _fault(attributes: Any, box: Any, num_classes: int) -> str | None:
    is_list = isinstance(attributes, list) and len(attributes) == num_classes
    if not is_list or any(value not in (1, -1, 0) for value in attributes):
        return f"expected {num_classes} attributes of 1, -1 or 0, found {attributes}"
    return box_fault(box)
