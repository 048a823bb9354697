"""Check that the files of a data set are where they are expected, and inside its folder."""

import os
from pathlib import Path

from margin_bench.data.split import ImageFiles
from margin_bench.errors import DataError


def require(root: Path, names: list[str]) -> None:
    """Expect files or folders below the data set's folder.

    Args:
        root: that folder.
        names: relative to it.

    Raises:
        DataError: one of them is missing.
    """
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise DataError(
            f"Expected {', '.join(names[:4])}{', ...' * (len(names) > 4)} in {root},\n"
            f"{missing[0]} is missing. Give the folder as dataset.root=DIR; `margin-bench data list` says more."
        )


def check_image_files(images: ImageFiles) -> None:
    """Expect every image file, and none through a link out of the root, so that annotations make us read no others.

    Raises:
        DataError: files are missing, or a link leads out.
    """
    names = [os.fsdecode(name) for name in images.names]
    folders = {name.rpartition("/")[0] for name in names}
    is_link = {name: link for folder in folders for name, link in _entries(images.root, folder).items()}
    missing = [name for name in names if name not in is_link]
    if missing:
        raise DataError(
            f"Expected each image of the annotations in {images.root},\n"
            f"{len(missing)} of {len(names)} are missing: {', '.join(missing[:3])}{', ...' * (len(missing) > 3)}."
        )
    for file in sorted(leading_out(images)):
        raise DataError(
            f"{file} is a link to {file.resolve()},\nout of dataset.root={images.root}. Use the file itself."
        )


def leading_out(images: ImageFiles) -> set[Path]:
    """Return the files that links take out of the root: links themselves, or in a folder that is one."""
    root = images.root.resolve()
    names = {os.fsdecode(name) for name in images.names}
    folders = {name.rpartition("/")[0] for name in names}
    outside = {folder for folder in folders if not (images.root / folder).resolve().is_relative_to(root)}
    links = {name for folder in folders for name, is_link in _entries(images.root, folder).items() if is_link}
    bad = {name for name in names & links if not (images.root / name).resolve().is_relative_to(root)}
    return {images.root / name for name in names if name in bad or name.rpartition("/")[0] in outside}


def _entries(root: Path, folder: str) -> dict[str, bool]:
    """List the names in a folder, relative to the root, and whether each is a link."""
    try:
        with os.scandir(root / folder) as entries:
            files = [entry for entry in entries if entry.is_file()]
            return {f"{folder}/{entry.name}" if folder else entry.name: entry.is_symlink() for entry in files}
    except OSError:
        return {}
