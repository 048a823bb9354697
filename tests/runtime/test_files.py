import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from margin_bench.errors import CheckpointError
from margin_bench.runtime.files import opened, read_regular, sha256, sweep, write_atomic

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


def test_a_link_in_the_place_of_a_file_is_replaced_and_what_it_names_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "file").symlink_to(tmp_path / "precious")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_names_of_temporary_files_cannot_be_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def refuse(path: object, flags: int, *mode: int, **more: object) -> int:
        assert flags & os.O_EXCL
        assert flags & os.O_NOFOLLOW
        names.append(str(path))
        raise OSError(errno.EACCES, "refused")

    monkeypatch.setattr(os, "open", refuse)
    for _ in range(2):
        with pytest.raises(CheckpointError):
            write_atomic(tmp_path / "file", b"content")
    assert names[0] != names[1]


@pytest.mark.parametrize("flags", [os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_CREAT])
def test_nothing_is_written_through_a_link(tmp_path: Path, flags: int) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"), opened(tmp_path / "link", flags) as file:
        file.write(b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("read", [read_regular, sha256])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read(tmp_path / "pipe")


def test_a_pipe_is_not_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"), opened(tmp_path / "pipe", os.O_WRONLY | os.O_APPEND):
        pass


def test_what_a_killed_write_has_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    left = [tmp_path / f".file.{digit * 16}.tmp" for digit in "ab"]
    kept = [tmp_path / name for name in ("file", ".file.tmp", ".file.0.tmp", "file.aaaaaaaaaaaaaaaa.tmp")]
    for path in [*left, *kept]:
        path.touch()
    os.utime(left[0], (0, 0))
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {left[1], *kept}, "the other may be being written"
    sweep(tmp_path, seconds=0)
    assert set(tmp_path.iterdir()) == set(kept)
    sweep(tmp_path / "none")
