"""Read a user's own images with their labels in a table: CSV, TSV, JSON lines or Parquet."""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.data.label_cells import BLANKS, is_blank, joined_by, label_of, names_in
from margin_bench.data.split import Split
from margin_bench.data.text_files import encoding_of, read_text
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE

DELIMITERS = (",", "\t", ";")
BOX_SIDES = ("left", "top", "right", "bottom")
SHOWN = 5  # values of a column that a message names
LEFT_OUT = ("val", "valid", "validation", "dev")  # what the split column may say besides train and test
NO_COLUMN = "none"  # in the place of the split column
YES_OR_NO = ("is_valid", "is_test")  # columns by which fastai and others split: true where a row is not trained on

Row = Sequence[Any]


@dataclass(frozen=True)
class Columns:
    """Name the columns of a table.

    Attributes:
        image: the image file, relative to the root.
        labels: the names of the positive classes, with `separator` between them, or a list in JSON. None: a column
            for each class holds 1, 0 or -1 (positive, negative, unlabeled).
        split: `train` or `test`; rows of a validation split are left out. None: all rows are of one split.
        boxes: left, top, right, bottom in pixels. None: all of each image.
        classes: the names of the classes in order. None: all labels of the training rows, sorted; or all columns that
            are nothing else, in their order.
        blank: what an empty cell of a class means. None: it is a fault.
    """

    image: str
    labels: str | None
    separator: str
    split: str | None
    boxes: tuple[str, ...] | None
    classes: tuple[str, ...] | None
    blank: int | None

    def keys(self) -> dict[str, str]:
        """Return the columns that are no class, and the keys of the configuration that name them."""
        named = {"image": self.image, "labels": self.labels, "split_column": self.split}
        boxes = dict.fromkeys(self.boxes or (), "boxes")
        return {name: key for key, name in named.items() if name} | boxes


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
    blank: str | int | None = None,
    follow_links: bool = False,
) -> Split:
    """Load the rows of one split.

    Args:
        split: "train" or "test".
        file: the table; its ending, .csv, .tsv, .jsonl or .parquet, tells the format.
        test_file: a second table with the test rows. None: `split_column` of the first says `train` or `test`.
        root: the folder of the images. None: that of the table.
        image: as in `Columns`.
        labels: as in `Columns`.
        separator: as in `Columns`.
        split_column: the column that says `train` or `test`; not needed with `test_file`. `none`: all rows are of
            the train split.
        boxes: as in `Columns`.
        classes: as in `Columns`.
        keep_empty: whether to keep rows without a positive.
        blank: what an empty cell of a class means: `negative` or 0, `unlabeled` or -1. None: it is a fault.
        follow_links: whether image files may be links out of the root.

    Raises:
        ValueError: an option is of another kind, `boxes` are not four columns, or `blank` is unknown.
        DataError: a table cannot be read or lacks a column, or there is no row of the split.
    """
    _check_options(locals())
    columns = Columns(
        image,
        labels,
        separator,
        None if test_file or split_column == NO_COLUMN else split_column,
        tuple(boxes) if boxes else None,
        tuple(map(str, classes)) if classes else None,
        None if blank is None else BLANKS[str(blank)],
    )
    files = [Path(each) for each in (file, test_file) if each]
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} is no file.\nGive the table as dataset.file=FILE (and dataset.test_file=FILE).")
    names = [path.name for path in files]
    options = {"format": "table", "files": names, "split": split, "columns": vars(columns)}
    annotations = indexed(files, partial(read_annotations, files, columns, split), options)
    return to_split(
        annotations, Path(root) if root else files[0].parent, keep_empty=keep_empty, follow_links=follow_links
    )


def _check_options(options: dict[str, Any]) -> None:
    """Refuse options of `load` that are of another kind: a column for a list of columns, say.

    Raises:
        ValueError: names the first.
    """
    for key in ("file", "image", "separator", "split_column"):
        if not isinstance(options[key], str | Path) or not str(options[key]):
            raise ValueError(f"{key}: expected a text of at least one character, got {options[key]!r}.")
    for key in ("test_file", "root", "labels"):
        if not isinstance(options[key], str | Path | None):
            raise ValueError(f"{key}: expected a text or null, got {options[key]!r}.")
    for key in ("boxes", "classes"):
        names = options[key]
        if names is not None and (isinstance(names, str) or not isinstance(names, Sequence)):
            raise ValueError(f"{key}: expected a list, as [a,b], or null, got {names!r}.")
    if options["boxes"] is not None and len(options["boxes"]) != len(BOX_SIDES):
        raise ValueError(f"boxes: expected the columns of {', '.join(BOX_SIDES)}, got {', '.join(options['boxes'])}.")
    if options["blank"] is not None and str(options["blank"]) not in BLANKS:
        raise ValueError(f"blank: expected one of {', '.join(BLANKS)} or null, got {options['blank']!r}.")


def read_annotations(files: Sequence[Path], columns: Columns, split: str) -> Annotations:
    """Read the rows of a split in the order of the table.

    Args:
        files: the table with both splits, or one for each.
        columns: of the tables.
        split: "train" or "test".

    Raises:
        DataError: a table cannot be read or lacks a column, or there is no row of the split.
    """
    train, test = _Table(files[0], columns), _Table(files[-1], columns)
    classes = columns.classes or _classes(train, test, columns)
    table = train if split == "train" else test
    reader = _RowReader(table, columns, classes)
    kinds = set()
    for number, row in table.rows():
        kind = table.split_of(row, split if len(files) > 1 else "train")
        kinds.add(kind)
        if kind == split:
            reader.add(number, row)
        elif kind not in ("train", "test", *LEFT_OUT) and split == "train":
            reader.fault(number, f"{columns.split} is {kind or 'empty'}; expected train or test")
    if not reader.names and not reader.faults:
        raise DataError(
            f"{table.file} has no row of the {split} split{_found_kinds(columns, kinds)}.\n"
            "Expected train and test there. data.holdout=0.2 scores a part of the train rows in place of the test rows."
        )
    return reader.annotations()


def _found_kinds(columns: Columns, kinds: Iterable[str]) -> str:
    """Say what the split column holds, as the end of a sentence."""
    found = ", ".join(sorted(kinds)[:SHOWN])
    return f"; dataset.split_column={columns.split} holds {found}" if columns.split and found else ""


class _Table:
    """Read a table file: its columns once, its rows as often as they are asked for.

    Raises:
        DataError: it cannot be read, lacks a column, or has one twice.
    """

    def __init__(self, file: Path, columns: Columns) -> None:
        self.file = file
        if file.suffix.lower() not in _READERS:
            raise DataError(f"{file}: expected a name that ends in {', '.join(_READERS)}.")
        self._read = partial(_READERS[file.suffix.lower()], file, columns.image)
        self.header = next(([str(name).strip() for name in row] for _, row in self._lines()), [])
        self._split = columns.split
        self._check_header(columns)
        self.place = {name: place for place, name in enumerate(self.header)}

    def cell(self, row: Row, column: str) -> Any:
        """Return a cell of a row; empty if the row ends before it."""
        place = self.place[column]
        return row[place] if place < len(row) else ""

    def split_of(self, row: Row, without_column: str) -> str:
        """Return what the split column says of a row, in small letters; of a column of yes and no, test is yes.

        Args:
            row: of this table.
            without_column: what to return where there is no such column.
        """
        if self._split is None:
            return without_column
        cell = self.cell(row, self._split)
        if self._split in YES_OR_NO and (label := label_of(cell)) in (POSITIVE, NEGATIVE):
            return "test" if label == POSITIVE else "train"
        return "" if is_blank(cell) else str(cell).strip().lower()

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Give the number of each line but the header, and its cells."""
        lines = self._lines()
        next(lines, None)
        yield from lines

    def _lines(self) -> Iterator[tuple[int, Row]]:
        try:
            yield from self._read()
        except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
            raise DataError(
                f"{self.file} cannot be read: {error}.\n"
                "Expected a table in UTF-8 (from Excel: CSV UTF-8) with the names of its columns."
            ) from error

    def _check_header(self, columns: Columns) -> None:
        twice = [name for name, count in Counter(self.header).items() if name and count > 1]
        if twice:
            raise DataError(f"{self.file} has the column {twice[0]} twice.\nRename one of them.")
        keys = columns.keys()
        if not columns.labels:
            keys = dict.fromkeys(columns.classes or (), "classes") | keys
        for name in sorted(keys.keys() - set(self.header)):
            ways = self._ways_to_split() if keys[name] == "split_column" else ""
            raise DataError(
                f"{self.file} has no column {name}, it has {', '.join(self.header) or 'none'}.\n"
                f"Give its name as dataset.{keys[name]}=NAME{ways}."
            )

    def _ways_to_split(self) -> str:
        """Return how else to tell train and test rows apart, as the end of a sentence."""
        proposed = [name for name in YES_OR_NO if name in self.header]
        like = f" ({proposed[0]} looks like it)" if proposed else ""
        return (
            f"{like}, or a second table as dataset.test_file=FILE,\n"
            "or hold out a part of the rows: dataset.split_column=none data.holdout=0.2"
        )


class _RowReader:
    """Collect the rows of a split, and the faults of those that are left out."""

    def __init__(self, table: _Table, columns: Columns, classes: Sequence[str]) -> None:
        self.table, self.columns, self.classes = table, columns, tuple(classes)
        self.names: list[str] = []
        self.targets: list[NDArray[np.int8]] = []
        self.boxes: list[tuple[float, ...]] = []
        self.faults: list[str] = []
        self._seen: set[tuple[Any, ...]] = set()
        self._column_of = {name: column for column, name in enumerate(classes)}

    def add(self, number: int, row: Row) -> None:
        name = str(self.table.cell(row, self.columns.image) or "")
        try:
            if not name:
                raise ValueError(f"the column {self.columns.image} is empty")
            box = self._box(row) if self.columns.boxes else ()
            targets = self._listed(row) if self.columns.labels else self._by_column(row)
            if (name, *box) in self._seen:
                raise ValueError(f"{name} stands there a second time")
        except ValueError as error:
            self.fault(number, str(error))
            return
        self._seen.add((name, *box))
        self.names.append(name)
        self.targets.append(targets)
        self.boxes.append(box)

    def fault(self, number: int, what: str) -> None:
        self.faults.append(f"{self.table.file.name}, line {number}: {what}")

    def annotations(self) -> Annotations:
        shape = (len(self.names), len(self.classes))
        return Annotations(
            self.names,
            np.concatenate(self.targets).reshape(shape) if self.names else np.empty(shape, np.int8),
            self.classes,
            np.array(self.boxes, np.float32).reshape(len(self.names), 4) if self.columns.boxes else None,
            tuple(self.faults),
        )

    def _listed(self, row: Row) -> NDArray[np.int8]:
        targets = np.full(len(self.classes), NEGATIVE, np.int8)
        for name in names_in(self.table.cell(row, self.columns.labels or ""), self.columns.separator):
            if name not in self._column_of:
                raise ValueError(
                    f"unknown class {name!r}: not in dataset.classes, or, without that, in no training row"
                )
            targets[self._column_of[name]] = POSITIVE
        return targets

    def _by_column(self, row: Row) -> NDArray[np.int8]:
        cells = [self.table.cell(row, name) for name in self.classes]
        return np.array([self._label(cell, name) for cell, name in zip(cells, self.classes, strict=True)], np.int8)

    def _label(self, cell: Any, name: str) -> int:
        if is_blank(cell):
            if self.columns.blank is None:
                raise ValueError(
                    f"{name} is empty; dataset.blank=negative or dataset.blank=unlabeled says what an empty cell means"
                )
            return self.columns.blank
        label = label_of(cell)
        if label is None:
            raise ValueError(f"{name} is {cell!r}; expected 1 (positive), 0 (negative) or -1 (unlabeled)")
        return label

    def _box(self, row: Row) -> tuple[float, ...]:
        columns = self.columns.boxes or ()
        try:
            left, top, right, bottom = box = tuple(float(self.table.cell(row, name)) for name in columns)
        except (TypeError, ValueError):
            raise ValueError(f"expected four numbers in {', '.join(columns)}") from None
        if not (all(map(math.isfinite, box)) and max(left, 0) < right and max(top, 0) < bottom):
            raise ValueError(f"the box {', '.join(map(str, box))} has no area in the image")
        return box


def _classes(train: _Table, test: _Table, columns: Columns) -> tuple[str, ...]:
    if not columns.labels:
        keys = columns.keys()
        classes, others = ([name for name in each.header if name and name not in keys] for each in (train, test))
        if extra := sorted(set(others) - set(classes)):
            raise DataError(
                f"{test.file} has the column {extra[0]}, {train.file} does not.\n"
                "Give both the same classes, or say which columns are classes: dataset.classes=[...]."
            )
        _check_label_columns(train, classes)
        return tuple(classes)
    cells = [train.cell(row, columns.labels) for _, row in train.rows() if train.split_of(row, "train") == "train"]
    if other := joined_by(cells, columns.separator):
        raise DataError(
            f"{train.file}: no label holds the separator {columns.separator!r}, and {other!r} seems to stand between "
            f"names.\nSay \"dataset.separator='{other}'\", or name the classes with dataset.classes=[...]."
        )
    return tuple(sorted({name for cell in cells for name in _sound_names(cell, columns.separator)}))


def _sound_names(cell: Any, separator: str) -> list[str]:
    """Return the names in a cell; none of one that is a fault, which is told with its line."""
    try:
        return names_in(cell, separator)
    except ValueError:
        return []


def _check_label_columns(table: _Table, classes: Sequence[str]) -> None:
    """Refuse a table with columns that would be classes and are none: they hold no label at all, or the split."""
    without, examples = set(classes) - set(YES_OR_NO), dict[str, Any]()
    for _, row in table.rows():
        cells = {name: table.cell(row, name) for name in without}
        examples |= {name: cell for name, cell in cells.items() if not is_blank(cell)}
        without = {name for name, cell in cells.items() if label_of(cell) is None}
        if not without:
            break
    others = [name for name in classes if (name in without and name in examples) or name in YES_OR_NO]
    if others:
        named = f"dataset.classes=[{','.join(name for name in classes if name not in others)}]"
        if others[0] in YES_OR_NO:
            what = f"looks like the split of the rows, not like a class.\nSay dataset.split_column={others[0]}, or"
        else:
            what = f"holds no label, that is 1, 0 or -1, but {examples[others[0]]!r}.\nIf it is no class,"
        raise DataError(f"{table.file}: the column {others[0]} {what} name those that are: {named}.")


def _read_delimited(file: Path, image: str) -> Iterator[tuple[int, Row]]:
    with file.open(encoding=encoding_of(file), newline="") as lines:
        delimiter = _delimiter(lines.readline().rstrip("\r\n"), image)
        lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True)
        width = 0
        for row in reader:
            width = width or len(row)
            if len(row) > width:
                raise ValueError(f"line {reader.line_num} has more cells than the header")
            if row:
                yield reader.line_num, row


def _delimiter(header: str, image: str) -> str:
    """Return what stands between the columns: by it there is a column of the images, or else there are most columns."""
    columns = {each: next(csv.reader([header], delimiter=each, skipinitialspace=True), []) for each in DELIMITERS}
    return max(columns, key=lambda each: (image in map(str.strip, columns[each]), len(columns[each])))


def _read_json_lines(file: Path, image: str) -> Iterator[tuple[int, Row]]:
    rows = []
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            rows.append((number, row))
    header = list(dict.fromkeys(name for _, row in rows for name in row))
    yield 0, header
    for number, row in rows:
        yield number, [row.get(name, "") for name in header]


def _read_parquet(file: Path, image: str) -> Iterator[tuple[int, Row]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{file}: reading Parquet needs pyarrow: pip install 'margin-bench[parquet]'") from None
    table = parquet.read_table(file)
    yield 0, table.column_names
    yield from enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True), start=1)


_READERS: dict[str, Callable[[Path, str], Iterator[tuple[int, Row]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
