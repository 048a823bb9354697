"""What is fetched and unpacked, with a download that brings what the test has laid ready."""

import hashlib
import shutil

import pytest

from margin_bench.data import prepare
from margin_bench.data.prepare import DOWNLOADS, fetch
from margin_bench.errors import DataError

MD5_OF_WORDS = f"md5:{hashlib.md5(b'words').hexdigest()}"


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A folder whose files are the web's; each that is fetched is listed."""
    folder = tmp_path / "web"
    folder.mkdir()
    fetched = []

    def download(url, path, checksum):
        fetched.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / url.rpartition("/")[2], path)

    monkeypatch.setattr(prepare, "download", download)
    (folder / "words.txt").write_text("words", encoding="utf-8")
    return folder, fetched


def entry(name, checksum=None, unpack_to="sub"):
    return {"url": f"http://example.org/files/{name}", "checksum": checksum, "unpack_to": unpack_to}


def test_a_file_is_put_where_it_belongs_and_fetched_once(web, tmp_path, capsys):
    root = tmp_path / "root"
    for _ in range(2):
        fetch([entry("words.txt")], root)
    assert (root / "sub" / "words.txt").read_text(encoding="utf-8") == "words"
    assert web[1] == ["http://example.org/files/words.txt"]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "words.txt: no checksum is published, only its length was checked"
    assert said[1].startswith("words.txt is there already; delete ")


def test_an_archive_is_unpacked_and_deleted(web, tmp_path):
    content = tmp_path / "content"
    content.mkdir()
    (content / "a.txt").write_text("a", encoding="utf-8")
    shutil.make_archive(str(web[0] / "kit"), "gztar", content)
    fetch([entry("kit.tar.gz", unpack_to=".")], tmp_path / "root")
    assert (tmp_path / "root" / "a.txt").read_text(encoding="utf-8") == "a"
    assert [path.name for path in (tmp_path / "root" / DOWNLOADS).iterdir()] == ["kit.tar.gz.done"]


def test_a_file_that_came_before_unpacking_broke_off_is_checked_not_fetched(web, tmp_path):
    (tmp_path / DOWNLOADS).mkdir()
    (tmp_path / DOWNLOADS / "words.txt").write_text("words", encoding="utf-8")
    fetch([entry("words.txt", MD5_OF_WORDS)], tmp_path)
    assert web[1] == []
    assert (tmp_path / "sub" / "words.txt").read_text(encoding="utf-8") == "words"


def test_such_a_file_with_a_wrong_checksum_is_named_and_fetched_the_next_time(web, tmp_path):
    (tmp_path / DOWNLOADS).mkdir()
    (tmp_path / DOWNLOADS / "words.txt").write_text("word", encoding="utf-8")
    with pytest.raises(DataError, match="expected the md5"):
        fetch([entry("words.txt", MD5_OF_WORDS)], tmp_path)
    fetch([entry("words.txt", MD5_OF_WORDS)], tmp_path)
    assert web[1] == ["http://example.org/files/words.txt"]


def test_a_broken_archive_leaves_no_mark(web, tmp_path):
    (web[0] / "kit.zip").write_text("no archive", encoding="utf-8")
    with pytest.raises(DataError, match="is broken"):
        fetch([entry("kit.zip")], tmp_path)
    assert not (tmp_path / DOWNLOADS / "kit.zip.done").exists()
