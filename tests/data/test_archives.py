"""Archives, good and bad."""

import io
import os
import shutil
import stat
import tarfile
import zipfile

import pytest

from margin_bench.data.archives import is_archive, unpack
from margin_bench.errors import DataError


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def write_tar(path, members, **attributes):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            file.addfile(info, io.BytesIO(content))
    return path


WRITERS = {"a.zip": write_zip, "a.tar": write_tar, "a.tar.gz": write_tar}


def everything_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", list(WRITERS))
def test_an_archive_is_unpacked_and_can_be_again(tmp_path, name):
    archive = WRITERS[name](tmp_path / name, {"sub/a.txt": b"a", "b.txt": b"b"})
    for _ in range(2):
        unpack(archive, tmp_path / "root")
        assert everything_below(tmp_path / "root") == {"sub/a.txt", "b.txt"}
    assert (tmp_path / "root/sub/a.txt").read_bytes() == b"a"


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
@pytest.mark.parametrize("member", ["../evil.txt", "sub/../../evil.txt"])
def test_a_member_that_leads_out_is_refused(tmp_path, name, member):
    archive = WRITERS[name](tmp_path / name, {"good.txt": b"", member: b"evil"})
    with pytest.raises(DataError, match=r"is not unpacked: .*evil\.txt"):
        unpack(archive, tmp_path / "root")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("member", ["/etc/evil.txt", "C:\\evil.txt", "..\\evil.txt"])
def test_an_absolute_member_of_a_zip_is_refused(tmp_path, member):
    archive = write_zip(tmp_path / "a.zip", {member: b"evil"})
    with pytest.raises(DataError, match="is not unpacked"):
        unpack(archive, tmp_path / "root")
    assert everything_below(tmp_path / "root") == set()


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="is no file but a link"):
        unpack(tmp_path / "a.zip", tmp_path / "root")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_holds_files_and_folders_alone(tmp_path, kind):
    archive = write_tar(tmp_path / "a.tar", {"inside": b""}, type=kind, linkname="other")
    with pytest.raises(DataError, match="'inside' is no file but a link"):
        unpack(archive, tmp_path / "root")
    assert everything_below(tmp_path / "root") == set()


def test_a_tar_whose_links_chain_over_long_names_writes_nothing_outside(tmp_path):
    """Each link's name stays inside, but the path of all together is too long to be resolved, so nobody sees out."""
    long = "d" * 240
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        path = ""
        for step in "abcdefghijklmnop":
            folder = tarfile.TarInfo(f"{path}{long}")
            folder.type = tarfile.DIRTYPE
            file.addfile(folder)
            link = tarfile.TarInfo(f"{path}{step}")
            link.type, link.linkname = tarfile.SYMTYPE, long
            file.addfile(link)
            path += f"{long}/"
        last = tarfile.TarInfo("/".join("abcdefghijklmnop") + "/out")
        last.type, last.linkname = tarfile.SYMTYPE, "../" * 17
        file.addfile(last)
        out = tarfile.TarInfo("escape")
        out.type, out.linkname = tarfile.SYMTYPE, f"{last.name}/../outside"
        file.addfile(out)
        inside = tarfile.TarInfo("escape/evil.txt")
        inside.size = 4
        file.addfile(inside, io.BytesIO(b"evil"))
    (tmp_path / "outside").mkdir()
    with pytest.raises(DataError, match="is no file but a link"):
        unpack(tmp_path / "a.tar", tmp_path / "root")
    assert everything_below(tmp_path / "outside") == everything_below(tmp_path / "root") == set()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_a_link_out_of_a_tar_is_refused(tmp_path, target):
    archive = write_tar(tmp_path / "a.tar", {"link": b""}, type=tarfile.SYMTYPE, linkname=target)
    with pytest.raises(DataError, match="is not unpacked"):
        unpack(archive, tmp_path / "root")
    assert not os.path.lexists(tmp_path / "root" / "link")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_bomb_is_refused_before_it_grows(tmp_path, name):
    archive = WRITERS[name](tmp_path / name, {"zeros": bytes(20_000_000)})
    with pytest.raises(DataError, match="more than 100 times its size"):
        unpack(archive, tmp_path / "root")
    assert everything_below(tmp_path / "root") == set()


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_broken_archive_is_named(tmp_path, name):
    archive = WRITERS[name](tmp_path / name, {"a.txt": os.urandom(5000)})
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(DataError, match="is broken"):
        unpack(archive, tmp_path / "root")


def test_an_archive_that_the_disk_has_no_room_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DataError, match="Make room"):
        unpack(write_zip(tmp_path / "a.zip", {"a.txt": b"abc"}), tmp_path / "root")


def test_a_zip_that_names_its_own_folder_is_fine(tmp_path):
    unpack(write_zip(tmp_path / "a.zip", {"./": b"", "./a.txt": b"a"}), tmp_path / "root")
    assert everything_below(tmp_path / "root") == {"a.txt"}


def test_what_is_an_archive():
    assert all(map(is_archive, ("a.zip", "a.tar", "a.tar.gz", "a.tgz")))
    assert not any(map(is_archive, ("a.json", "a.jpg", "zip")))
