"""Find out what a data set holds and what is wrong with it: every fault, not only the first."""

import hashlib
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from margin_bench.data.image_files import leading_out, links_out, missing_files
from margin_bench.data.images import FORMATS, read_image
from margin_bench.data.split import ImageFiles, Split
from margin_bench.errors import DataError, RunError
from margin_bench.targets import check_targets, labeled, positives

PLAIN_MODES = ("RGB", "L")  # what Pillow calls colour and grey of 8 bits; others are converted
CHUNK_FILES = 64
CLASSES_SHOWN = 10

_Job = tuple[Path, NDArray[np.float32] | None]  # a file, and the boxes of the samples in it


@dataclass(frozen=True)
class Report:
    """Hold what was found.

    Attributes:
        class_names: in the order of the columns of the targets.
        splits: for `train` and `test`: `samples` (their number), `left_out` (samples without a positive),
            `labels_per_sample` (the mean), `unlabeled_share` (of all entries) and `positives` (of each class).
        pairs: the classes that are most often positive together: both names, and the number of training samples.
        faults: what is wrong, a line each. A run refuses to start with some of them.
        notes: what is odd and does no harm to a run, a line each.
    """

    class_names: tuple[str, ...]
    splits: dict[str, dict[str, Any]]
    pairs: list[tuple[str, str, int]]
    faults: list[str]
    notes: list[str]


class _Seen(NamedTuple):
    """Hold the checksum of an image file, None if it cannot be read, its faults, and what is odd in it."""

    digest: str | None
    faults: list[str]
    notes: list[str]


def examine(splits: dict[str, Split], whole_sizes: dict[str, int], workers: int) -> Report:
    """Examine the annotations and every image of a data set.

    Args:
        splits: `train` and `test`.
        whole_sizes: the number of samples of each split, with those that are left out as they have no positive.
        workers: how many processes read images; 0: this one reads them.

    Raises:
        RunError: a process that reads images was killed.
    """
    train = splits["train"]
    faults = [f"{name}: {fault}" for name, split in splits.items() for fault in (*split.faults, *_label_faults(split))]
    if train.class_names != splits["test"].class_names:
        faults.append("the splits have different classes, or the same in another order")
    notes = [f"{name}: {note}" for name, split in splits.items() for note in split.notes]
    notes += [note for name, split in splits.items() if (note := _without_positive(split, name))]
    digests = {}
    for name, split in splits.items():
        digests[name], found, odd = _examine_images(split, workers, name)
        faults += found
        notes += odd
    faults += _overlaps(splits, digests)
    return Report(
        train.class_names,
        {name: _counts(split, whole_sizes[name]) for name, split in splits.items()},
        _pairs(train),
        faults,
        notes,
    )


def _label_faults(split: Split) -> list[str]:
    try:
        check_targets(split.targets)
    except DataError as error:
        return [" ".join(str(error).splitlines())]
    return []


def _without_positive(split: Split, name: str) -> str | None:
    """Name the classes without a positive; None if there are none."""
    without = [split.class_names[column] for column in np.flatnonzero(~positives(split.targets).any(axis=0))]
    if not without:
        return None
    shown = ", ".join(map(repr, without[:CLASSES_SHOWN])) + ", ..." * (len(without) > CLASSES_SHOWN)
    return f"{name}: classes without a positive, which no mean over classes counts: {len(without):,} ({shown})"


def _counts(split: Split, whole_size: int) -> dict[str, Any]:
    num_positives = positives(split.targets).sum(axis=0)
    return {
        "samples": len(split),
        "left_out": whole_size - len(split),
        "labels_per_sample": float(num_positives.sum() / max(1, len(split))),
        "unlabeled_share": float((~labeled(split.targets)).sum() / max(1, split.targets.size)),
        "positives": num_positives.tolist(),
    }


def _pairs(split: Split, number: int = 10) -> list[tuple[str, str, int]]:
    is_positive = positives(split.targets).astype(np.float32)
    together = np.triu(is_positive.T @ is_positive, k=1)
    order = np.argsort(together, axis=None, kind="stable")[::-1][:number]
    found = [(*divmod(int(place), len(split.class_names)), int(together.flat[place])) for place in order]
    return [(split.class_names[a], split.class_names[b], count) for a, b, count in found if count]


def _examine_images(split: Split, workers: int, name: str) -> tuple[dict[str, list[int]], list[str], list[str]]:
    """Return the samples that have each content of an image, by its checksum, the faults, and what is odd."""
    samples_of: dict[str, list[int]] = defaultdict(list)
    if isinstance(split.images, np.ndarray):
        for row, image in enumerate(split.images):
            samples_of[hashlib.sha256(image.tobytes()).hexdigest()].append(row)
        return samples_of, [], []
    where = _where_files_are(split.images)
    rows_of: dict[Path, list[int]] = defaultdict(list)
    for row, path in enumerate(split.images):
        if path not in where.unread:
            rows_of[path].append(row)
    jobs = [(path, None if split.boxes is None else split.boxes[rows]) for path, rows in rows_of.items()]
    faults, notes = [f"{name}: {fault}" for fault in where.faults], list[str]()
    progress = tqdm(_examine_files(jobs, workers), desc=f"{name} images", total=len(jobs), unit="", disable=None)
    for seen, rows in zip(progress, rows_of.values(), strict=True):
        faults += [f"{name}: {fault}" for fault in seen.faults]
        notes += [f"{name}: {note}" for note in seen.notes]
        if seen.digest is not None:
            samples_of[seen.digest] += rows
    return samples_of, faults, notes


class _Where(NamedTuple):
    """Hold the files that are not to be read, as they are missing or out of the data set, and their faults."""

    unread: set[Path]
    faults: list[str]


def _where_files_are(images: Sequence[Path]) -> _Where:
    if not isinstance(images, ImageFiles):
        return _Where(set(), [])
    missing = missing_files(images)
    links = links_out(images)
    unread = {path for path in images if not path.is_file()} if missing else set()
    return _Where(unread | (leading_out(images) if links else set()), [missing] * bool(missing) + links)


def _examine_files(jobs: Sequence[_Job], workers: int) -> Iterator[_Seen]:
    """Examine the files, in order."""
    if workers == 0:
        yield from map(_examine_file, jobs)
        return
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            yield from pool.map(_examine_file, jobs, chunksize=CHUNK_FILES)
    except BrokenProcessPool as error:
        raise RunError(f"a process that reads images was killed: {error}\nUse fewer: workers=1.") from error


def _examine_file(job: _Job) -> _Seen:
    path, boxes = job
    try:
        image = read_image(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except DataError as error:
        return _Seen(None, [str(error).splitlines()[0]], [])
    with Image.open(path, formats=FORMATS) as file:
        mode = file.mode
    notes = [] if mode in PLAIN_MODES else [f"{str(path)!r} has the odd mode {mode}; it is read as RGB"]
    faults = []
    for left, top, right, bottom in [] if boxes is None else boxes.tolist():
        if not (max(left, 0) < min(right, image.width) and max(top, 0) < min(bottom, image.height)):
            box = f"{left:g}, {top:g}, {right:g}, {bottom:g}"
            faults.append(f"{str(path)!r} has {image.width} x {image.height} pixels, and a box at {box}")
    return _Seen(digest, faults, notes)


def _overlaps(splits: dict[str, Split], digests: dict[str, dict[str, list[int]]]) -> list[str]:
    """Name the images that train and test share, by content."""
    shared = digests["train"].keys() & digests["test"].keys()
    return sorted(
        f"train and test share an image: {_sample(splits['train'], digests['train'][each][0])} and "
        f"{_sample(splits['test'], digests['test'][each][0])}"
        for each in shared
    )


def _sample(split: Split, row: int) -> str:
    return f"sample {row}" if isinstance(split.images, np.ndarray) else repr(str(split.images[row]))
