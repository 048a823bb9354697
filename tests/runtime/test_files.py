import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from margin_bench.errors import CheckpointError
from margin_bench.runtime.files import sha256, write_atomic

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """Let the system refuse what a file holds beyond that: a write fails half-way, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_written_into_a_new_folder(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"a long old content")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_write_that_fails_half_way_keeps_the_old_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    with files_of_at_most(100), pytest.raises(CheckpointError):
        write_atomic(tmp_path / "file", b"new" * 100)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_full_disk_is_told_in_at_most_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(CheckpointError) as caught:
        write_atomic(tmp_path / "file", b"content")
    message = str(caught.value)
    assert str(tmp_path / "file") in message
    assert "No space left on device" in message
    assert "Free some space" in message
    assert len(message.splitlines()) <= 3


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(CheckpointError, match="Cannot write"):
        write_atomic(tmp_path / "folder" / "file", b"content")


def test_content_and_name_reach_the_disk_in_the_right_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synchronised under its temporary name, then renamed, then the folder is synchronised."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_atomic(tmp_path / "file", b"content")
    assert calls == ["file", "rename", "folder"]


def test_sha256_of_bytes_and_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(b"abc") == SHA256_OF_ABC
    assert sha256(tmp_path / "file") == SHA256_OF_ABC
