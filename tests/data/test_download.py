"""Downloads from a server on this machine that does what servers do."""

import hashlib
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from margin_bench.cli import main
from margin_bench.data import download as module
from margin_bench.data.download import download
from margin_bench.errors import DataError
from tests.helpers import made

CONTENT = bytes(range(256)) * 400
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@dataclass
class Server:
    """What the server gives and how it behaves."""

    content: bytes = CONTENT
    version: str = "one"
    knows_ranges: bool = True
    errors: list[int] = field(default_factory=list)  # the status of the requests that come
    breaks_after: list[int] = field(default_factory=list)  # bytes, of the requests that come
    ranges: list[str | None] = field(default_factory=list)  # that were asked for
    url: str = ""


@pytest.fixture(autouse=True)
def no_wait_and_no_proxy(monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.ranges.append(asked)
            if state.errors:
                self.send_error(state.errors.pop(0))
                return
            start = 0
            if asked and state.knows_ranges and self.headers["If-Range"] == state.version:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start and start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", state.version)
            self.end_headers()
            self.wfile.write(body[: state.breaks_after.pop(0)] if state.breaks_after else body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        state.url = f"http://127.0.0.1:{http_server.server_port}/file.bin"
        yield state
        http_server.shutdown()
        thread.join()


def test_a_file_comes_whole(server, tmp_path):
    download(server.url, tmp_path / "sub" / "file.bin", MD5)
    assert (tmp_path / "sub" / "file.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["file.bin"]


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.breaks_after = [1000, 2000]
    download(server.url, tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=3000-"]


def test_it_goes_on_after_the_command_was_ended_too(server, tmp_path):
    server.breaks_after = [1000] * module.ATTEMPTS
    with pytest.raises(DataError, match="goes on where it stopped"):
        download(server.url, tmp_path / "file.bin", MD5)
    assert not (tmp_path / "file.bin").exists()
    download(server.url, tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={1000 * module.ATTEMPTS}-"


def test_a_server_without_ranges_gives_the_whole_file_again(server, tmp_path):
    server.knows_ranges = False
    server.breaks_after = [1000]
    download(server.url, tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_parts_of_two_versions_are_not_joined(server, tmp_path):
    server.breaks_after = [1000] * module.ATTEMPTS
    with pytest.raises(DataError):
        download(server.url, tmp_path / "file.bin", None)
    server.content, server.version = CONTENT[::-1], "two"
    download(server.url, tmp_path / "file.bin", None)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[::-1]


def test_a_part_that_is_whole_already_is_enough(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    (tmp_path / "file.bin.part.version").write_text("one", encoding="utf-8")
    download(server.url, tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_is_named_and_nothing_stays(server, tmp_path):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=f"expected the md5 {MD5[4:]}, got"):
        download(server.url, tmp_path / "file.bin", MD5)
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin.part.version"]


def test_a_server_that_does_not_have_the_file_is_named(server, tmp_path):
    server.errors = [404]
    with pytest.raises(DataError, match="404"):
        download(server.url, tmp_path / "file.bin", None)
    assert len(server.ranges) == 1


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.errors = [503, 429]
    download(server.url, tmp_path / "file.bin", MD5)
    assert len(server.ranges) == 3


def test_a_server_that_stays_busy_is_named(server, tmp_path):
    server.errors = [503] * module.ATTEMPTS
    with pytest.raises(DataError, match="503"):
        download(server.url, tmp_path / "file.bin", MD5)


def test_a_server_that_does_not_answer_is_named(tmp_path):
    with pytest.raises(DataError, match="the transfer broke"):
        download("http://127.0.0.1:9/file.bin", tmp_path / "file.bin", None)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/file"])
def test_only_the_web_is_read(url, tmp_path):
    with pytest.raises(DataError, match="http"):
        download(url, tmp_path / "file.bin", None)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "folder").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        download(server.url, tmp_path / "folder" / "file.bin", None)


def test_the_command_fetches_unpacks_and_indexes(server, tmp_path, capsys):
    made.voc2007(tmp_path / "official")
    archive = shutil.make_archive(str(tmp_path / "kit"), "zip", tmp_path / "official")
    server.content = Path(archive).read_bytes()
    url = server.url.replace("file.bin", "kit.zip")
    (tmp_path / "configs" / "dataset").mkdir(parents=True)
    (tmp_path / "configs" / "dataset" / "mine.yaml").write_text(
        f"name: mine\n_target_: margin_bench.data.voc.load\nroot: {tmp_path}/root\nyear: 2007\n"
        "difficult: unlabeled\nkeep_empty: false\n"
        f"about:\n  files: [{{url: '{url}', checksum: null, unpack_to: .}}]\n",
        encoding="utf-8",
    )
    command = ["data", "prepare", "mine", "--config-dir", str(tmp_path / "configs")]
    for _ in range(2):
        assert main(command) == 0
        said = capsys.readouterr()
        assert "train: 30 samples of 20 classes, indexed" in said.out
    assert "kit.zip is there already" in said.err
    assert len(server.ranges) == 1
    assert not (tmp_path / "root" / ".downloads" / "kit.zip").exists()
