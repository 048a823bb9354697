"""Check that the files of a data set are where they are expected, and inside its folder."""

import os
from pathlib import Path

from margin_bench.data.split import ImageFiles
from margin_bench.errors import DataError


def require(root: Path, names: list[str], hint: str) -> None:
    """Expect files or folders below the data set's folder.

    Args:
        root: that folder.
        names: relative to it.
        hint: what to do if one is missing, besides giving another folder.

    Raises:
        DataError: one of them is missing.
    """
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise DataError(
            f"Expected {', '.join(names[:4])}{', ...' * (len(names) > 4)} in {root},\n"
            f"{missing[0]} is missing. Give the folder as dataset.root=DIR, or try {hint}."
        )


def check_image_files(images: ImageFiles) -> None:
    """Expect every image file, and none through a link out of the root, so that annotations make us read no others.

    Raises:
        DataError: files are missing, or a link leads out.
    """
    if missing := missing_files(images):
        raise DataError(f"Expected each image of the annotations as a file:\n{missing}.")
    for found in links_out(images):
        raise DataError(f"{found}.\nUse what it links to itself, or allow links: dataset.follow_links=true.")


def missing_files(images: ImageFiles) -> str:
    """Say how many image files are missing, and name the first; an empty text if all are there.

    Links count as there, and so do files alone: no folder, no pipe.
    """
    names = {os.fsdecode(name) for name in images.names}
    folders = {name.rpartition("/")[0] for name in names}
    there = {name for folder in folders for name in _entries(images.root, folder)}
    missing = sorted(names - there)
    if not missing:
        return ""
    shown = ", ".join(map(repr, missing[:3])) + ", ..." * (len(missing) > 3)
    return f"{len(missing):,} of {len(names):,} are missing in {images.root}: {shown}"


def links_out(images: ImageFiles) -> list[str]:
    """Say which links lead out of the root: a folder once for all its files, or each file. None where they may."""
    if images.follow_links:
        return []
    found = {}
    for file in sorted(leading_out(images)):
        linked = _outermost_link(file, images.root)
        what = "folder" if linked.is_dir() else "file"
        found[linked] = f"{str(linked)!r} is a linked {what}, to {linked.resolve()}, out of {images.root}"
    return list(found.values())


def _outermost_link(file: Path, root: Path) -> Path:
    """Return the first link on the way from the root to a file."""
    way = [file, *file.parents]
    below = [each for each in way if each != root and each.is_relative_to(root)]
    return next((each for each in reversed(below) if each.is_symlink()), file)


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
