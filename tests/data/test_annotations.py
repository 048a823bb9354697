"""The index of annotations, and from annotations to a split."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from margin_bench.data import annotations as module
from margin_bench.data.annotations import Annotations, indexed, to_split
from margin_bench.errors import DataError

SOME = Annotations(
    ["a/ä.jpg", "b.jpg", "c.jpg"],
    np.array([[1, 0], [0, -1], [0, 1]], np.int8),
    ("cat", "dog"),
    np.arange(12, dtype=np.float32).reshape(3, 4),
    ("a fault",),
)


OWN_PARSER = """
import numpy as np
from functools import partial
from pathlib import Path
from margin_bench.data.annotations import Annotations, indexed

def parse(file):
    return Annotations(["a.jpg"], np.ones((1, 1), np.int8), ("any",))

def show(file):
    print(*indexed([Path(file)], partial(parse, file), {}).file_names)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "index"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_text("[]", encoding="utf-8")
    return path


class Parser:
    """Gives an answer and counts how often it is asked."""

    def __init__(self, answer: Annotations = SOME) -> None:
        self.answer, self.calls = answer, 0

    def __call__(self) -> Annotations:
        self.calls += 1
        return self.answer


def assert_same(ours: Annotations, expected: Annotations) -> None:
    assert list(ours.file_names) == list(expected.file_names)
    assert (ours.class_names, ours.faults) == (expected.class_names, expected.faults)
    np.testing.assert_array_equal(ours.targets, expected.targets)
    np.testing.assert_array_equal(ours.boxes, expected.boxes)


def test_files_are_parsed_once(cache, file):
    parse = Parser()
    assert_same(indexed([file], parse, {}), SOME)
    assert_same(indexed([file], parse, {}), SOME)
    assert parse.calls == 1


def test_other_content_other_options_and_other_parsers_are_parsed_anew(cache, file, monkeypatch):
    parse = Parser()
    indexed([file], parse, {})
    file.write_text("[1]", encoding="utf-8")
    indexed([file], parse, {})
    indexed([file], parse, {"difficult": "negative"})
    assert parse.calls == 3
    monkeypatch.setattr(module, "_source_digest", lambda parse: "another")
    indexed([file], parse, {})
    assert parse.calls == 4


def test_a_change_of_a_users_own_parser_is_seen(cache, file, tmp_path):
    def names_by(source):
        (tmp_path / "own_parser.py").write_text(source, encoding="utf-8")
        code = "import sys; sys.path.insert(0, sys.argv[1]); import own_parser; own_parser.show(sys.argv[2])"
        command = [sys.executable, "-B", "-c", code, tmp_path, file]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert names_by(OWN_PARSER) == ["a.jpg"]
    assert names_by(OWN_PARSER.replace("a.jpg", "b.jpg")) == ["b.jpg"]


def test_the_same_content_elsewhere_is_known(cache, file, tmp_path):
    parse = Parser()
    indexed([file], parse, {})
    (tmp_path / "moved.json").write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    indexed([tmp_path / "moved.json"], parse, {})
    assert parse.calls == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_torn_index_is_made_again(cache, file, share):
    parse = Parser()
    indexed([file], parse, {})
    (path,) = cache.glob("*.index")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_same(indexed([file], parse, {}), SOME)
    assert_same(indexed([file], parse, {}), SOME)
    assert parse.calls == 2


def test_an_index_with_a_flipped_bit_is_made_again(cache, file):
    parse = Parser()
    indexed([file], parse, {})
    (path,) = cache.glob("*.index")
    content = path.read_bytes()
    positions = range(0, len(content), 13)
    for position in positions:
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        assert_same(indexed([file], parse, {}), SOME)
    assert parse.calls == 1 + len(positions)


def test_processes_that_open_at_once_share_one_index(cache, file, tmp_path):
    code = (
        "import sys, time, numpy as np; from pathlib import Path\n"
        "from margin_bench.data.annotations import Annotations, indexed\n"
        "def parse():\n"
        f"    open('{tmp_path}/calls', 'a').write('x'); time.sleep(0.5)\n"
        "    return Annotations(['a.jpg'], np.ones((1, 1), np.int8), ('a',))\n"
        f"assert indexed([Path('{file}')], parse, {{}}).file_names == ['a.jpg']\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "x"


def test_without_a_folder_to_write_files_are_parsed_every_time(tmp_path, file, monkeypatch):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    parse = Parser()
    assert_same(indexed([file], parse, {}), SOME)
    assert_same(indexed([file], parse, {}), SOME)
    assert parse.calls == 2


def test_an_error_of_the_parser_goes_through_and_is_not_kept(cache, file):
    def fails() -> Annotations:
        raise DataError("not the format")

    for _ in range(2):
        with pytest.raises(DataError, match="not the format"):
            indexed([file], fails, {})


def test_samples_without_a_positive_are_left_out_unless_kept():
    left = to_split(SOME, Path("/data"), keep_empty=False)
    assert list(left.images) == [Path("/data/a/ä.jpg"), Path("/data/c.jpg")]
    np.testing.assert_array_equal(left.boxes, SOME.boxes[[0, 2]])
    assert left.faults == ("a fault",)
    assert len(to_split(SOME, Path("/data"), keep_empty=True)) == 3


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../a.jpg", "'../a.jpg': this file name leads out of the data set"),
        ("/a.jpg", "'/a.jpg': this file name leads out of the data set"),
        ("a\0.jpg", "'a\\x00.jpg' is no file name"),
        ("", "'' is no file name"),
        (5, "5 is no file name"),
        ("\ud800.jpg", "'\\ud800.jpg' is no file name"),
    ],
)
def test_what_is_no_file_name_is_a_fault(name, fault):
    split = to_split(Annotations([name, "b.jpg"], np.ones((2, 1), np.int8), ("a",)), Path("/data"), keep_empty=False)
    assert split.faults == (fault,)
    assert list(split.images) == [Path("/data/b.jpg")]


def test_without_any_positive_there_is_no_data_set():
    with pytest.raises(DataError, match="mark no sample with a class"):
        to_split(Annotations(["a.jpg"], np.zeros((1, 2), np.int8), ("a", "b")), Path("/data"), keep_empty=False)
