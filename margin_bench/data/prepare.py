"""Fetch the files of a data set, and unpack them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from margin_bench.data.archives import is_archive, unpack
from margin_bench.data.download import check_content, download
from margin_bench.runtime.console import say
from margin_bench.runtime.files import sweep, write_atomic

DOWNLOADS = ".downloads"  # in the data set's folder: what has come so far, and a mark for each file that is done


def fetch(files: Sequence[Mapping[str, Any]], root: Path) -> None:
    """Fetch the files that are missing. An archive is deleted once it is unpacked; a mark tells that it was.

    Args:
        files: for each its `url`, its `checksum` (as for `download`) and `unpack_to`, a folder relative to the root.
        root: the data set's folder.

    Raises:
        DataError: as `download` and `unpack`.
    """
    sweep(root / DOWNLOADS)
    for file in files:
        name = PurePosixPath(urlsplit(file["url"]).path).name
        mark = root / DOWNLOADS / f"{name}.done"
        if mark.exists():
            say(f"{name} is there already; delete {mark} to fetch it again", sys.stderr)
            continue
        path = root / DOWNLOADS / name
        if path.exists():
            check_content(path, file["checksum"], str(path))
        else:
            download(file["url"], path, file["checksum"])
        if file["checksum"] is None:
            say(f"{name}: no checksum is published, only its length was checked", sys.stderr)
        folder = root / file["unpack_to"]
        if is_archive(name):
            unpack(path, folder)
        else:
            write_atomic(folder / name, path.read_bytes())
        write_atomic(mark, b"")
        path.unlink()
