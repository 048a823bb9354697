"""Parse annotation files once, and keep what they say in a compact index.

An index is found by the content of the files, by the options of the parser and by its source, so it is never stale. One
that is torn is made again; where none can be written, the files are parsed at every start.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import sys
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
from margin_bench.runtime.files import cache_dir, read_regular, sha256, sweep, write_atomic
from margin_bench.targets import positives

TEXTS = ("file_names", "class_names", "faults", "notes")  # the attributes of `Annotations` that are lists of text
DIGEST_BYTES = hashlib.sha256().digest_size  # before the content of an index


@dataclass(frozen=True)
class Annotations:
    """Hold what the annotation files of one split say of N samples and C classes, before any sample is left out.

    Attributes:
        file_names: the N image files, relative to the data set's folder, with "/" between folders.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_names: the C names, in the order of the columns of `targets`.
        boxes: float32 (N, 4) as left, top, right, bottom in pixels. None: all of each image.
        faults: what is wrong in the files, a line each; the entries concerned are not in the arrays.
        notes: what is odd in the files and does no harm, a line each.
    """

    file_names: Sequence[str]
    targets: NDArray[np.int8]
    class_names: tuple[str, ...]
    boxes: NDArray[np.float32] | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def to_split(annotations: Annotations, root: Path, *, keep_empty: bool, follow_links: bool = False) -> Split:
    """Make a split of the samples with a positive, or of all.

    A file name may be absolute and inside of the root, go up and down again (`a/../a`), and have backslashes between
    folders. A sample is left out, and a fault names it, if its file name leads out of the root or is none at all.

    Args:
        annotations: of N samples.
        root: the data set's folder, from which file names count.
        keep_empty: whether to keep samples without a positive.
        follow_links: whether image files may be links out of the root, or in a folder that is one.

    Raises:
        DataError: no sample is left, and no fault tells why.
    """
    file_names = [_below_root(name, root) for name in annotations.file_names]
    name_faults = [_name_fault(name) for name in file_names]
    faults = [*annotations.faults, *(fault for fault in name_faults if fault)]
    is_sound = np.array([fault is None for fault in name_faults], bool)
    kept = is_sound if keep_empty else is_sound & positives(annotations.targets).any(axis=1)
    if not kept.any() and not faults:
        raise DataError(
            f"{root}: the annotations mark no sample with a class.\n"
            "Check the files, or keep samples without a class by dataset.keep_empty=true."
        )
    names = [os.fsencode(name) if sound else b"" for name, sound in zip(file_names, is_sound, strict=True)]
    split = Split(
        ImageFiles(root, np.array(names, np.bytes_), follow_links),
        annotations.targets,
        annotations.class_names,
        annotations.boxes,
        tuple(faults),
        annotations.notes,
    )
    return split if kept.all() else split.rows(np.flatnonzero(kept))


def indexed(files: Sequence[Path], parse: Callable[[], Annotations], options: Mapping[str, Any]) -> Annotations:
    """Return what `parse` returns, from the index if these files were parsed before with these options.

    Args:
        files: all that `parse` reads.
        parse: a function, or a `partial` of one. Its module counts, and so do those of this package; of other modules
            that it may use a change is not seen.
        options: all else that its result depends on, as JSON can say it.

    Raises:
        DataError: a file cannot be read, or as `parse`.
    """
    folder = cache_dir() / "index"
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            content = _content_digest(files, folder)
            key = hashlib.sha256(json.dumps([content, dict(options), _source_digest(parse)]).encode()).hexdigest()
            held.enter_context(FileLock(folder / f"{key}.lock"))
        except (OSError, CheckpointError):
            return _parsed(files, parse)
        path = folder / f"{key}.index"
        annotations = _read(path)
        if annotations is None:
            annotations = _parsed(files, parse)
            sweep(folder)
            with contextlib.suppress(CheckpointError):
                write_atomic(path, _packed(annotations))
    return annotations


def _parsed(files: Sequence[Path], parse: Callable[[], Annotations]) -> Annotations:
    try:
        return parse()
    except (OSError, OverflowError, RecursionError) as error:
        beside = " and those beside it" if len(files) > 1 else ""
        raise DataError(f"{files[0]}{beside} cannot be read: {type(error).__name__}: {error}.") from error


def _below_root(name: Any, root: Path) -> Any:
    """Return a file name relative to the root, in the plainest form; what is none, or leads out, as it is."""
    if not isinstance(name, str):
        return name
    plain = name.replace("\\", "/")
    if plain.startswith("/"):
        plain = os.path.normpath(plain)
        roots = (f"{os.path.normpath(each)}/" for each in (root.absolute(), root.resolve()))
        return next((plain.removeprefix(each) for each in roots if plain.startswith(each)), name)
    if plain.startswith("./") or "/." in plain or "//" in plain:
        plain = os.path.normpath(plain)
    return name if plain.startswith("..") or plain == "." else plain


def _name_fault(name: Any) -> str | None:
    """Say what keeps a file name from being read below the root; None if nothing does."""
    if not isinstance(name, str) or not name or "\0" in name or not _can_be_encoded(name):
        return f"{name!r} is no file name"
    if name.startswith("/") or (".." in name and ".." in name.split("/")):
        return f"{name!r}: this file name leads out of the data set"
    return None


def _can_be_encoded(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _content_digest(files: Sequence[Path], folder: Path) -> str:
    """Return the checksum of the files' content, remembered by their sizes and times so that it is computed once."""
    stats = [(os.fspath(file.absolute()), *_stat(file)) for file in files]
    remembered = folder / f"{hashlib.sha256(json.dumps(stats).encode()).hexdigest()}.content"
    with contextlib.suppress(OSError):
        if re.fullmatch(b"[0-9a-f]{64}", digest := read_regular(remembered)):
            return digest.decode()
    made = hashlib.sha256("".join(sha256(file) for file in files).encode()).hexdigest()
    write_atomic(remembered, made.encode())
    return made


def _stat(file: Path) -> tuple[int, ...]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _source_digest(parse: Callable[[], Annotations]) -> str:
    """Return the checksum of the modules that parse: what they have made is parsed anew when they change."""
    module = sys.modules.get(getattr(parse, "func", parse).__module__)
    own = getattr(module, "__file__", None)  # what is typed at Python's prompt has none
    return _digest_of(frozenset([*Path(__file__).parent.glob("*.py"), *([Path(own)] if own else [])]))


@cache
def _digest_of(sources: frozenset[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()


def _packed(annotations: Annotations) -> bytes:
    texts: dict[str, Sequence[str]] = {name: getattr(annotations, name) for name in TEXTS}
    arrays: dict[str, NDArray[Any]] = {
        name: np.frombuffer(json.dumps(list(lines)).encode(), np.uint8) for name, lines in texts.items()
    }
    if annotations.boxes is not None:
        arrays["boxes"] = annotations.boxes
    arrays["targets"] = annotations.targets
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue()


def _read(path: Path) -> Annotations | None:
    """Read an index; None if there is none, or not the one that was written."""
    try:
        content = read_regular(path)
    except OSError:
        return None
    checksum, packed = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != checksum:
        return None
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        texts = {name: json.loads(arrays[name].tobytes()) for name in TEXTS}
        return Annotations(
            texts["file_names"],
            arrays["targets"],
            tuple(texts["class_names"]),
            arrays.get("boxes"),
            tuple(texts["faults"]),
            tuple(texts["notes"]),
        )
