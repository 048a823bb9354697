"""Make small data sets in the official formats, with the traps of each, for the tests of what reads them."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from margin_bench.data.voc import CLASS_NAMES as VOC_CLASSES
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

SIDE = 24  # height and width of the images in pixels


@dataclass(frozen=True)
class Made:
    """Hold what was written, as it should be read.

    Attributes:
        root: the data set's folder.
        overrides: the words of a command line that choose the data set.
        class_names: C of them.
        targets: int8 (N, C) of each split, without the samples that are left out.
    """

    root: Path
    overrides: tuple[str, ...]
    class_names: tuple[str, ...]
    targets: dict[str, NDArray[np.int8]]


@cache
def jpeg(number: int) -> bytes:
    """Make a JPEG file; equal numbers give equal bytes."""
    rng = np.random.default_rng(number)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def coco(root: Path, num_samples: int = 30) -> Made:
    """Make COCO 2014, with ids that have gaps, crowds, and an image without an annotation in each split."""
    categories = [{"id": 90, "name": "brush"}, {"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
    targets = {}
    for part, (split, name) in enumerate({"train": "train2014", "test": "val2014"}.items()):
        labels = _labels(num_samples, 3, part)
        labels[1] = NEGATIVE
        names = [f"COCO_{name}_{row:012}.jpg" for row in range(num_samples)]
        images = [{"id": 100 + 7 * row, "file_name": file} for row, file in enumerate(names)]
        objects: list[dict[str, Any]] = [
            {"image_id": 100 + 7 * int(row), "category_id": (1, 3, 90)[column], "iscrowd": int(row % 5 == 0)}
            for row, column in np.argwhere(labels == POSITIVE)
        ]
        objects = [{"id": number, "bbox": [0, 0, 5, 5], **each} for number, each in enumerate(objects)]
        _images(root / name, names, 1000 * part)
        content = {"images": images[::-1], "annotations": objects[::-1], "categories": categories}
        write_json(root / "annotations" / f"instances_{name}.json", content)
        targets[split] = _with_positive(labels)
    return Made(root, ("dataset=coco", f"dataset.root={root}"), ("person", "car", "brush"), targets)


def voc2007(root: Path, num_samples: int = 30) -> Made:
    """Make VOC 2007, with difficult objects."""
    return _voc(root, 2007, {"train": "trainval", "test": "test"}, num_samples)


def voc2012(root: Path, num_samples: int = 30) -> Made:
    """Make VOC 2012, whose test labels are not public."""
    return _voc(root, 2012, {"train": "train", "test": "val"}, num_samples)


def _voc(root: Path, year: int, sets: dict[str, str], num_samples: int) -> Made:
    folder = root / "VOCdevkit" / f"VOC{year}"
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    written = {POSITIVE: " 1", NEGATIVE: "-1", UNLABELED: " 0"}
    targets = {}
    for part, (split, name) in enumerate(sets.items()):
        labels = _labels(num_samples, len(VOC_CLASSES), part, unlabeled=0.05)
        ids = [f"{1000 * part + row:06}" for row in range(num_samples)]
        for column, class_name in enumerate(VOC_CLASSES):
            lines = [f"{each} {written[int(labels[row, column])]}\n" for row, each in enumerate(ids)]
            (folder / "ImageSets" / "Main" / f"{class_name}_{name}.txt").write_text("".join(lines), encoding="utf-8")
        _images(folder / "JPEGImages", [f"{each}.jpg" for each in ids], 1000 * part)
        targets[split] = _with_positive(labels)
    return Made(root, (f"dataset=voc{year}", f"dataset.root={root}"), VOC_CLASSES, targets)


def wider(root: Path, num_samples: int = 30) -> Made:
    """Make WIDER Attribute, with two boxes in an image, unspecified attributes, and a box without a positive."""
    class_names = ("Male", "LongHair", "Hat")
    targets = {}
    for part, (split, name) in enumerate({"train": "trainval", "test": "test"}.items()):
        labels = _labels(num_samples, 3, part, unlabeled=0.2)
        labels[2] = [NEGATIVE, UNLABELED, NEGATIVE]
        signs = np.select([labels == POSITIVE, labels == NEGATIVE], [1, -1], 0)
        boxes = [
            {"attribute": signs[row].tolist(), "bbox": [1.5 * (row % 2), 2, 10, 12.5]} for row in range(num_samples)
        ]
        folder = "train" if split == "train" else "test"
        names = [f"{folder}/0--Parade/{row:04}.jpg" for row in range(0, num_samples, 2)]
        images = [
            {"file_name": each, "scene_id": 0, "targets": boxes[2 * number : 2 * number + 2]}
            for number, each in enumerate(names)
        ]
        _images(root / "Image", names, 1000 * part)
        id_map = {str(number): each for number, each in enumerate(class_names)}
        content = {"images": images, "attribute_id_map": id_map, "scene_id_map": {"0": "Parade"}}
        write_json(root / "wider_attribute_annotation" / f"wider_attribute_{name}.json", content)
        targets[split] = _with_positive(labels)
    return Made(root, ("dataset=wider", f"dataset.root={root}"), class_names, targets)


def vispr(root: Path, num_samples: int = 30) -> Made:
    """Make VISPR, with labels whose numbers have gaps and do not sort as text."""
    class_names = ("a0_safe", "a2_gender", "a10_face_partial")
    targets = {}
    for part, (split, folders) in enumerate({"train": ("train2017", "val2017"), "test": ("test2017",)}.items()):
        labels = _labels(num_samples, 3, part)
        rows = np.array_split(np.arange(num_samples), len(folders))
        for folder, own in zip(folders, rows, strict=True):
            names = [f"2017_{1000 * part + row:08}.jpg" for row in own]
            _images(root / folder, names, 1000 * part + int(own[0]))
            for row, name in zip(own, names, strict=True):
                marked = [class_names[column] for column in np.flatnonzero(labels[row] == POSITIVE)]
                content = {"image_path": f"images/{folder}/{name}", "labels": marked, "safe": "a0_safe" in marked}
                write_json((root / folder / name).with_suffix(".json"), content)
        targets[split] = _with_positive(labels)
    return Made(root, ("dataset=vispr", f"dataset.root={root}"), class_names, targets)


def vaw(root: Path, num_samples: int = 30) -> Made:
    """Make VAW: most attributes unmarked, images in two folders, an object without a positive in each split."""
    class_names = tuple(f"attribute {number}" for number in range(12))
    write_json(root / "attribute_index.json", {name: column for column, name in enumerate(class_names)})
    targets = {}
    files = {"train": ("train_part1.json", "train_part2.json", "val.json"), "test": ("test.json",)}
    for part, split in enumerate(files):
        labels = _labels(num_samples, 12, part, unlabeled=0.8)
        labels[3] = np.where(labels[3] == POSITIVE, NEGATIVE, labels[3])
        objects = [
            {
                "image_id": 1000 * part + row,
                "instance_id": f"{1000 * part + row}",
                "instance_bbox": [2.5, 3.0, 10.0, 12.0],
                "instance_polygon": None,
                "object_name": "thing",
                "positive_attributes": [class_names[column] for column in np.flatnonzero(labels[row] == POSITIVE)],
                "negative_attributes": [class_names[column] for column in np.flatnonzero(labels[row] == NEGATIVE)],
            }
            for row in range(num_samples)
        ]
        rows = np.array_split(np.arange(num_samples), len(files[split]))
        for name, own in zip(files[split], rows, strict=True):
            write_json(root / name, [objects[row] for row in own])
        for folder in (0, 1):
            names = [f"{each['image_id']}.jpg" for each in objects[folder::2]]
            _images(root / ("VG_100K", "VG_100K_2")[folder], names, 1000 * part + 500 * folder)
        targets[split] = _with_positive(labels)
    return Made(root, ("dataset=vaw", f"dataset.root={root}"), class_names, targets)


FORMATS: dict[str, Callable[..., Made]] = {
    "coco": coco,
    "voc2007": voc2007,
    "voc2012": voc2012,
    "wider": wider,
    "vispr": vispr,
    "vaw": vaw,
}


def encoded(mode: str, image_format: str, size: tuple[int, int] = (SIDE, SIDE), **options: Any) -> bytes:
    """Encode a black image in a mode and format."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, image_format, **options)
    return buffer.getvalue()


# What can be wrong with an image file: from its bytes to others, or None to remove it; and what is said of it.
IMAGE_FAULTS: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing": (lambda _: None, "are missing in"),
    "empty": (lambda _: b"", "the file is empty"),
    "web page": (lambda _: b"<html>404</html>", "no image in a format"),
    "truncated": (lambda content: content[: len(content) // 2], "runcated"),
    "bomb": (lambda _: encoded("1", "PNG", (20_000, 9_000)), "larger than"),
    "postscript": (lambda _: encoded("RGB", "EPS"), "no image in a format"),
    "pdf": (lambda _: encoded("RGB", "PDF"), "no image in a format"),
}
# What is odd in an image file that a run reads, in the same way.
IMAGE_NOTES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "cmyk": (lambda _: encoded("CMYK", "JPEG"), "odd mode CMYK"),
    "alpha": (lambda _: encoded("RGBA", "PNG"), "odd mode RGBA"),
    "16 bits": (lambda _: encoded("I;16", "PNG"), "odd mode I;16"),
}


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, and its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    """Read a JSON file, change its content in place, and write it again."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def _images(folder: Path, names: list[str], first: int) -> None:
    for number, name in enumerate(names, start=first):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))


def _labels(num_samples: int, num_classes: int, seed: int, unlabeled: float = 0.0) -> NDArray[np.int8]:
    """Draw labels; each sample has a positive, and each class too."""
    rng = np.random.default_rng(seed)
    draws = rng.random((num_samples, num_classes))
    labels = np.select([draws < 0.3 * (1 - unlabeled), draws > 1 - unlabeled], [POSITIVE, UNLABELED], NEGATIVE).astype(
        np.int8
    )
    labels[np.arange(num_samples), rng.integers(num_classes, size=num_samples)] = POSITIVE
    labels[:num_classes][np.eye(num_classes, dtype=bool)[:num_samples]] = POSITIVE
    return labels


def _with_positive(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    with_positive: NDArray[np.int8] = labels[(labels == POSITIVE).any(axis=1)]
    return with_positive
