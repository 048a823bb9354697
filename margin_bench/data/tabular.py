"""A user's own images with their labels in a table: CSV, TSV, JSON lines or Parquet."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

DELIMITERS = (",", "\t", ";")
LABELS = {"1": POSITIVE, "0": NEGATIVE, "-1": UNLABELED, "1.0": POSITIVE, "0.0": NEGATIVE, "-1.0": UNLABELED}
BOX_SIDES = ("left", "top", "right", "bottom")

Row = dict[str, Any]


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are.

    Attributes:
        image: the image file, relative to the root.
        labels: the names of the positive classes, with `separator` between them, or a list in JSON. None: a column
            for each class holds 1, 0 or -1 (positive, negative, unlabeled).
        split: `train` or `test`; other rows are left out. None: all rows are of one split.
        boxes: left, top, right, bottom in pixels. None: all of each image.
        classes: the names of the classes in order. None: all labels of the training rows, sorted; or all columns that
            are nothing else, in their order.
    """

    image: str
    labels: str | None
    separator: str
    split: str | None
    boxes: tuple[str, ...] | None
    classes: tuple[str, ...] | None

    def others(self) -> set[str]:
        """The columns that are no class."""
        return {name for name in (self.image, self.labels, self.split, *(self.boxes or ())) if name}


def load(
    split: Literal["train", "test"],
    file: str | Path,
    test_file: str | Path | None,
    root: str | Path | None,
    image: str,
    labels: str | None,
    separator: str,
    split_column: str,
    boxes: Sequence[str] | None,
    classes: Sequence[str] | None,
    keep_empty: bool,
) -> Split:
    """The rows of one split.

    Args:
        split: "train" or "test".
        file: the table; its ending, .csv, .tsv, .jsonl or .parquet, tells the format.
        test_file: a second table with the test rows. None: `split_column` of the first says `train` or `test`.
        root: the folder of the images. None: that of the table.
        image, labels, separator, boxes, classes: see `Columns`.
        keep_empty: whether to keep rows without a positive.

    Raises:
        ValueError: not four box columns, or an empty separator.
        DataError: a table cannot be read or lacks a column.
    """
    if boxes is not None and len(boxes) != len(BOX_SIDES):
        raise ValueError(f"boxes: expected the columns of {', '.join(BOX_SIDES)}, got {', '.join(boxes)}.")
    if not separator:
        raise ValueError("separator: expected at least one character.")
    columns = Columns(
        image,
        labels,
        separator,
        None if test_file else split_column,
        tuple(boxes) if boxes else None,
        tuple(classes) if classes else None,
    )
    files = [Path(each) for each in (file, test_file) if each]
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} is no file.\nGive the table as dataset.file=FILE (and dataset.test_file=FILE).")
    options = {"format": "table", "split": split, "columns": vars(columns)}
    annotations = indexed(files, partial(read_annotations, files, columns, split), options)
    return to_split(annotations, Path(root) if root else files[0].parent, keep_empty=keep_empty)


def read_annotations(files: Sequence[Path], columns: Columns, split: str) -> Annotations:
    """The rows of a split in the order of the table.

    Args:
        files: the table with both splits, or one for each.

    Raises:
        DataError: a table cannot be read or lacks a column.
    """
    tables = {"train": files[0], "test": files[-1]}
    rows = {name: _rows_of(file, columns, name) for name, file in tables.items()}
    classes = columns.classes or _classes(rows["train"], columns)
    faults: list[str] = []
    names, targets, boxes = [], [], []
    seen: set[tuple[Any, ...]] = set()
    for where, row in rows[split]:
        entry = _Entry(row, columns, classes)
        key = (row[columns.image], *entry.box)
        found = [*entry.faults, *([f"{row[columns.image]} stands there a second time"] if key in seen else [])]
        faults += [f"{where}: {fault}" for fault in found]
        if not found:
            names.append(str(row[columns.image]))
            targets.append(entry.labels)
            boxes.append(entry.box)
        seen.add(key)
    return Annotations(
        names,
        np.array(targets, np.int8).reshape(len(names), len(classes)),
        tuple(classes),
        np.array(boxes, np.float32).reshape(len(names), 4) if columns.boxes else None,
        tuple(faults),
    )


class _Entry:
    """A row's labels and box, and what is wrong with them."""

    def __init__(self, row: Row, columns: Columns, classes: Sequence[str]) -> None:
        self.faults: list[str] = []
        if not row[columns.image]:
            self.faults.append(f"the column {columns.image} is empty")
        self.labels = self._listed(row, columns, classes) if columns.labels else self._by_column(row, classes)
        self.box = self._box(row, columns.boxes) if columns.boxes else ()

    def _listed(self, row: Row, columns: Columns, classes: Sequence[str]) -> list[int]:
        marked = _names(row, columns)
        unknown = [name for name in marked if name not in classes]
        if unknown:
            self.faults.append(
                f"unknown class {', '.join(unknown)}: not in dataset.classes, or, without that, in no training row"
            )
        return [POSITIVE if name in marked else NEGATIVE for name in classes]

    def _by_column(self, row: Row, classes: Sequence[str]) -> list[int]:
        labels = []
        for name in classes:
            value = str(row.get(name, "")).strip()
            if value not in LABELS:
                self.faults.append(
                    f"{name} is {value or 'empty'}; expected 1 (positive), 0 (negative) or -1 (unlabeled)"
                )
            labels.append(LABELS.get(value, UNLABELED))
        return labels

    def _box(self, row: Row, columns: Sequence[str]) -> tuple[float, ...]:
        try:
            left, top, right, bottom = box = tuple(float(row[name]) for name in columns)
        except (TypeError, ValueError):
            self.faults.append(f"expected four numbers in {', '.join(columns)}")
            return ()
        if not (all(map(math.isfinite, box)) and max(left, 0) < right and max(top, 0) < bottom):
            self.faults.append(f"the box {', '.join(map(str, box))} has no area in the image")
        return box


def _names(row: Row, columns: Columns) -> list[str]:
    """The classes that a row names."""
    value = row[columns.labels or ""]
    if isinstance(value, list | np.ndarray):
        return [str(name) for name in value]
    return [name for part in str(value or "").split(columns.separator) if (name := part.strip())]


def _classes(rows: Sequence[tuple[str, Row]], columns: Columns) -> tuple[str, ...]:
    if columns.labels:
        return tuple(sorted({name for _, row in rows for name in _names(row, columns)}))
    return tuple(name for name in (rows[0][1] if rows else ()) if name not in columns.others())


def _rows_of(file: Path, columns: Columns, split: str) -> list[tuple[str, Row]]:
    """Where each row of a split stands, and the row."""
    try:
        rows = [(f"{file.name}, line {number}", row) for number, row in _READERS[file.suffix.lower()](file, columns)]
    except KeyError:
        raise DataError(f"{file}: expected a name that ends in {', '.join(_READERS)}.") from None
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise DataError(f"{file} cannot be read: {error}.\nExpected a table in UTF-8.") from error
    known = {name for _, row in rows for name in row}
    for name in sorted(columns.others() - known):
        key = next((key for key in ("image", "labels") if getattr(columns, key) == name), "split_column")
        key = "boxes" if name in (columns.boxes or ()) else key
        raise DataError(
            f"{file} has no column {name}, it has {', '.join(sorted(known)[:8])}.\nGive its name as dataset.{key}=NAME"
            f"{', or a second table as dataset.test_file=FILE' if key == 'split_column' else ''}."
        )
    empty = dict.fromkeys(columns.others(), "")  # JSON need not say every key in every line
    return [(where, empty | row) for where, row in rows if columns.split is None or row.get(columns.split) == split]


def _read_delimited(file: Path, columns: Columns) -> Iterator[tuple[int, Row]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline().rstrip("\r\n")
        fits = [each for each in DELIMITERS if columns.image in next(csv.reader([header], delimiter=each), [])]
        lines.seek(0)
        reader = csv.DictReader(lines, delimiter=fits[0] if fits else DELIMITERS[0], restval="", strict=True)
        for row in reader:
            if None in row:
                raise ValueError(f"line {reader.line_num} has more cells than the header")
            yield reader.line_num, row


def _read_json_lines(file: Path, columns: Columns) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.strip():
            row: Row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            yield number, row


def _read_parquet(file: Path, columns: Columns) -> Iterator[tuple[int, Row]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{file}: reading Parquet needs pyarrow: pip install 'margin-bench[parquet]'") from None
    yield from enumerate(parquet.read_table(file).to_pylist(), start=1)


_READERS = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
