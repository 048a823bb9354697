"""What annotation files say, parsed once and then kept in a compact index.

An index is found by the content of the files, by the options of the parser and by its source, so it is never stale. One
that is torn is made again; where none can be written, the files are parsed at every start.
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from margin_bench.data.split import ImageFiles, Split
from margin_bench.errors import CheckpointError, DataError
from margin_bench.files import sha256, write_atomic
from margin_bench.targets import positives


@dataclass(frozen=True)
class Annotations:
    """What the annotation files of one split say of N samples and C classes, before any sample is left out.

    Attributes:
        file_names: the N image files, relative to the data set's folder, with "/" between folders.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_names: the C names, in the order of the columns of `targets`.
        boxes: float32 (N, 4) as left, top, right, bottom in pixels. None: all of each image.
        faults: what is wrong in the files, a line each; the entries concerned are not in the arrays.
    """

    file_names: Sequence[str]
    targets: NDArray[np.int8]
    class_names: tuple[str, ...]
    boxes: NDArray[np.float32] | None = None
    faults: tuple[str, ...] = ()


def to_split(annotations: Annotations, root: Path, *, keep_empty: bool) -> Split:
    """The samples with a positive, or with `keep_empty` all. A file name that leads out of the root is a fault.

    Raises:
        DataError: no sample is left.
    """
    leaves = np.array([_leaves_root(name) for name in annotations.file_names], bool)
    leaving = itertools.compress(annotations.file_names, leaves)
    faults = [f"{name}: this file name leads out of the data set" for name in leaving]
    kept = ~leaves if keep_empty else ~leaves & positives(annotations.targets).any(axis=1)
    if not kept.any():
        raise DataError(
            f"{root}: the annotations mark no sample with a class.\n"
            "Check the files, or keep samples without a class by dataset.keep_empty=true."
        )
    names = np.array([os.fsencode(name) for name in annotations.file_names], np.bytes_)
    split = Split(
        ImageFiles(root, names),
        annotations.targets,
        annotations.class_names,
        annotations.boxes,
        (*annotations.faults, *faults),
    )
    return split if kept.all() else split.rows(np.flatnonzero(kept))


def indexed(files: Sequence[Path], parse: Callable[[], Annotations], options: Mapping[str, Any]) -> Annotations:
    """What `parse` returns, from the index if these files were parsed before with these options.

    Args:
        files: all that `parse` reads.
        options: all else that its result depends on, as JSON can say it.
    """
    folder = cache_dir() / "index"
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            content = _content_digest(files, folder)
            key = hashlib.sha256(json.dumps([content, dict(options), _source_digest()]).encode()).hexdigest()
            held.enter_context(FileLock(folder / f"{key}.lock"))
        except (OSError, CheckpointError):
            return parse()
        path = folder / f"{key}.npz"
        annotations = _read(path)
        if annotations is None:
            annotations = parse()
            with contextlib.suppress(CheckpointError):
                write_atomic(path, _packed(annotations))
    return annotations


def cache_dir() -> Path:
    """The folder of what is made once and kept: `$MARGIN_BENCH_DATA`, or `~/.cache/margin-bench`."""
    return Path(os.environ.get("MARGIN_BENCH_DATA") or Path.home() / ".cache" / "margin-bench")


def _leaves_root(name: str) -> bool:
    return name.startswith("/") or (".." in name and ".." in name.split("/"))


def _content_digest(files: Sequence[Path], folder: Path) -> str:
    """The checksum of the files' content, remembered by their sizes and times so that it is computed once."""
    stats = [(os.fspath(file.absolute()), *_stat(file)) for file in files]
    remembered = folder / f"{hashlib.sha256(json.dumps(stats).encode()).hexdigest()}.content"
    with contextlib.suppress(OSError):
        if len(digest := remembered.read_text()) == 64:
            return digest
    digest = hashlib.sha256("".join(sha256(file) for file in files).encode()).hexdigest()
    write_atomic(remembered, digest.encode())
    return digest


def _stat(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@cache
def _source_digest() -> str:
    """Of the modules that parse: what they make is parsed anew when they change."""
    return hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    ).hexdigest()


def _packed(annotations: Annotations) -> bytes:
    texts = {"file_names": annotations.file_names, "class_names": annotations.class_names, "faults": annotations.faults}
    arrays: dict[str, NDArray[Any]] = {
        name: np.frombuffer(json.dumps(list(lines)).encode(), np.uint8) for name, lines in texts.items()
    }
    if annotations.boxes is not None:
        arrays["boxes"] = annotations.boxes
    arrays["targets"] = annotations.targets
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read(path: Path) -> Annotations | None:
    """What an index holds; None if there is none or it is torn, which the checksums of its zip format tell."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            texts = {name: json.loads(arrays[name].tobytes()) for name in ("file_names", "class_names", "faults")}
            return Annotations(
                texts["file_names"],
                arrays["targets"],
                tuple(texts["class_names"]),
                arrays.get("boxes"),
                tuple(texts["faults"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
