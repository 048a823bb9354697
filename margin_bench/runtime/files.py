"""Write files that are whole or not there at all; take the checksum of a file."""

import contextlib
import hashlib
import os
from pathlib import Path

from margin_bench.errors import CheckpointError


def cache_dir() -> Path:
    """Return the folder of what is made once and kept: `$MARGIN_BENCH_DATA`, or `~/.cache/margin-bench`."""
    return Path(os.environ.get("MARGIN_BENCH_DATA") or Path.home() / ".cache" / "margin-bench")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`. Whatever happens, a reader finds the old content or the new one, never a part.

    Folders that `path` needs are made. A write that fails leaves no temporary file; one that is killed may leave
    `.<name>.<process>.tmp` beside `path`.

    Raises:
        CheckpointError: the file cannot be written, because the disk is full, say.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, data)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"Cannot write {path}: {error.strerror or error}.\n"
            "Free some space or make the folder writable, then give the same command again."
        ) from error


def sha256(source: Path | bytes) -> str:
    """Return the SHA-256 of bytes, or of a file's content, as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.

    Examples:
        >>> sha256(b"abc")[:8]
        'ba7816bf'
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
