"""Fetch files from the web: a broken transfer goes on where it stopped, and what comes is what was published."""

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import opened, read_regular, write_atomic

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
ATTEMPTS = 4  # each goes on where the one before it stopped
WAIT_SECONDS = 1.0  # before the second attempt, and twice as long before each that follows
BUSY = (429, 500, 502, 503, 504)  # answers of a server that may give another one later
TRANSIENT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def download(url: str, path: Path, checksum: str | None) -> None:
    """Fetch a file. What has come of it stays in `<path>.part` until it is whole and right.

    Args:
        url: the address, http or https.
        path: the file to write; its folder is made.
        checksum: `md5:...` or `sha256:...` as published; None: only the length is checked.

    Raises:
        DataError: the server refuses or does not answer, the transfer breaks ATTEMPTS times, the checksum is wrong, or
            the file cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url} is not fetched: expected an address that begins with http:// or https://.")
    part = path.with_name(f"{path.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _fetch_all(url, part)
        check_content(part, checksum, url)
        part.replace(path)
        _version_file(part).unlink(missing_ok=True)
    except (OSError, CheckpointError) as error:
        raise DataError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error


def _fetch_all(url: str, part: Path) -> None:
    broken: Exception | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(WAIT_SECONDS * 2 ** (attempt - 1))
        try:
            _fetch(url, part)
        except TRANSIENT as error:
            if isinstance(error, urllib.error.HTTPError) and error.code not in BUSY:
                raise DataError(
                    f"{url}: the server answers {error.code} {error.reason}.\n"
                    "Fetch it by hand, or look for its new address."
                ) from error
            broken = error
        else:
            return
    raise DataError(
        f"{url}: the transfer broke {ATTEMPTS} times ({broken}).\n"
        "Give the same command again: it goes on where it stopped."
    ) from broken


def _fetch(url: str, part: Path) -> None:
    """Fetch what is missing of the file, or all of it if the server's file is another one by now."""
    done = part.stat().st_size if part.exists() else 0
    version = read_regular(_version_file(part)).decode() if _version_file(part).exists() else ""
    headers = {"Range": f"bytes={done}-", "If-Range": version} if done and version else {}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # there is nothing after what we have
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
            part.unlink(missing_ok=True)  # parts of two versions must never be taken for one
        write_atomic(
            _version_file(part), (response.headers["ETag"] or response.headers["Last-Modified"] or "").encode()
        )
        length = response.headers["Content-Length"]
        total = done + int(length) if length else None
        with (
            opened(part, os.O_RDWR | os.O_CREAT) as file,
            tqdm(desc=part.stem, initial=done, total=total, unit="B", unit_scale=True, file=sys.stderr) as progress,
        ):
            file.seek(done)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                progress.update(len(chunk))
            file.truncate()
            os.fsync(file.fileno())
            if total is not None and file.tell() < total:
                raise ConnectionError(f"{file.tell():,} of {total:,} bytes came")


def _version_file(part: Path) -> Path:
    """Name the file that says which version of its file the server gave, so that a later part is of the same one."""
    return part.with_name(f"{part.name}.version")


def check_content(path: Path, checksum: str | None, source: str) -> None:
    """Expect the published checksum, if there is one; delete a file with another.

    Args:
        path: the file.
        checksum: `md5:...` or `sha256:...`; None: nothing is checked.
        source: where the file is from, for the message.

    Raises:
        DataError: the file has another checksum.
    """
    if checksum is None:
        return
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        path.unlink()
        raise DataError(
            f"{source}: expected the {algorithm} {expected}, got {found}. What came is deleted.\n"
            "Give the same command again; if it stays so, the file is not the published one."
        )
