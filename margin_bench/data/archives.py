"""Unpack archives from elsewhere, so that nothing lands outside of the folder and no bomb fills the disk."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from margin_bench.errors import DataError

MAX_RATIO = 100  # unpacked size over archive size; of images it is about 1, of annotations 10


def is_archive(name: str) -> bool:
    """Say whether a file name is that of an archive which `unpack` unpacks."""
    return name.endswith((".zip", ".tar", ".tar.gz", ".tgz"))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive; files that are there are replaced, so that a broken unpacking can be done again.

    Args:
        archive: the file, whose name `is_archive`.
        folder: where to; made if it does not exist.

    Raises:
        DataError: the archive is broken, would write outside of the folder, or would grow to more than MAX_RATIO times
            its size or to more than the disk has room for. Nothing outside of the folder is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if archive.name.endswith(".zip"):
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
    except tarfile.FilterError as error:
        raise DataError(f"{archive} is not unpacked: {error}.\nGet it from its official source.") from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError is what zipfile raises at an encrypted member or an unknown compression
        raise DataError(f"{archive} is broken: {error}.\nDelete it and fetch it again.") from error
    except OSError as error:
        raise DataError(f"{archive} cannot be unpacked to {folder}: {error.strerror or error}.") from error


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            _check_name(archive, member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16))
        _check_size(archive, folder, (member.file_size for member in members))
        file.extractall(folder)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as file:
        members = file.getmembers()
        for member in members:
            _check_name(archive, member.name, is_link=not (member.isfile() or member.isdir()))
        _check_size(archive, folder, (member.size for member in members))
        file.extractall(folder, members, filter="data")


def _check_name(archive: Path, name: str, is_link: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts) or is_link:
        raise DataError(
            f"{archive} is not unpacked: {name!r} is {'no file but a link' if is_link else 'outside of the folder'}.\n"
            "Get it from its official source."
        )


def _check_size(archive: Path, folder: Path, sizes: Iterable[int]) -> None:
    limit = MAX_RATIO * archive.stat().st_size
    free = shutil.disk_usage(folder).free
    total = 0
    for size in sizes:
        total += size
        if total > limit:
            raise DataError(
                f"{archive} is not unpacked: it would grow to more than {MAX_RATIO} times its size.\n"
                "Get it from its official source."
            )
        if total > free:
            raise DataError(
                f"{archive} needs more than the {free / 2**30:.1f} GiB that are free at {folder}.\nMake room."
            )
