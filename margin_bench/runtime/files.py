"""Read and write files in folders that others may write to: whole or not there at all, no links, no pipes.

Nothing is written through a link that someone put in the place of a file, and nothing waits for a pipe.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from margin_bench.errors import CheckpointError

TEMPORARY = ".{name}.{token}.tmp"  # what a file is called until it is whole
STALE_SECONDS = 3600  # no file takes so long to write


def cache_dir() -> Path:
    """Return the folder of what is made once and kept: `$MARGIN_BENCH_DATA`, or `~/.cache/margin-bench`."""
    return Path(os.environ.get("MARGIN_BENCH_DATA") or Path.home() / ".cache" / "margin-bench")


def write_atomic(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts`, one after another, to `path`. Whatever happens, a reader finds the old content or the new one.

    Folders that `path` needs are made. A write that fails leaves no temporary file; one that is killed may leave one,
    which `sweep` removes.

    Raises:
        CheckpointError: the file cannot be written, because the disk is full, say.
    """
    temporary = path.with_name(TEMPORARY.format(name=path.name, token=secrets.token_hex(8)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, parts)
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


def sweep(folder: Path, seconds: float = STALE_SECONDS) -> None:
    """Remove what killed writes have left in a folder.

    Args:
        folder: whether it is there or not.
        seconds: how old such a file must be; 0 where no other process can be writing there.
    """
    for path in folder.glob(TEMPORARY.format(name="*", token="[0-9a-f]" * 16)):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime >= seconds:
                path.unlink()


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[Any]:
    """Open a regular file; where it is written, no link is followed.

    Args:
        path: the file.
        flags: of `os.open`; with O_WRONLY, as O_CREAT or O_APPEND, what is opened is no link.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    writes = flags & (os.O_WRONLY | os.O_RDWR)
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if writes else 0), 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    with os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "wb" if writes else "rb") as file:
        yield file


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file; a pipe would be waited for.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with opened(path) as file:
        return bytes(file.read())


def sha256(source: Path | bytes) -> str:
    """Return the SHA-256 of bytes, or of a file's content, as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read, or is no regular one.

    Examples:
        >>> sha256(b"abc")[:8]
        'ba7816bf'
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with opened(source) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_through(path: Path, parts: tuple[bytes | memoryview, ...]) -> None:
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
