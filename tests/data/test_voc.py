"""PASCAL VOC's traps and faults."""

import numpy as np
import pytest

from margin_bench.data import voc
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers import made


def load(root, split="train", difficult="unlabeled"):
    return voc.load(split, root, 2007, difficult, keep_empty=True)


@pytest.fixture
def written(tmp_path):
    return made.voc2007(tmp_path)


def lines_of(written, class_name="cat"):
    path = written.root / "VOCdevkit/VOC2007/ImageSets/Main" / f"{class_name}_trainval.txt"
    return path, path.read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.mark.parametrize(
    ("difficult", "value"), [("unlabeled", UNLABELED), ("negative", NEGATIVE), ("positive", POSITIVE)]
)
def test_what_is_difficult_is_as_chosen(written, difficult, value):
    as_written = load(written.root).targets
    assert (as_written == UNLABELED).any()
    chosen = load(written.root, difficult=difficult).targets
    np.testing.assert_array_equal(chosen, np.where(as_written == UNLABELED, value, as_written))


def test_the_development_kit_may_be_the_root_itself(written):
    np.testing.assert_array_equal(load(written.root / "VOCdevkit").targets, load(written.root).targets)


@pytest.mark.parametrize("name", ["year", "difficult"])
def test_an_unknown_choice_is_named(written, name):
    options = {"year": 2007, "difficult": "unlabeled"} | {name: 0}
    with pytest.raises(ValueError, match=f"{name}: expected one of"):
        voc.load("train", written.root, **options, keep_empty=True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: [*lines, "000000 1\n"], "cat_trainval.txt, line 31: 000000 stands there a second time"),
        (lambda lines: ["000000 2\n", *lines[1:]], "cat_trainval.txt, line 1: expected an image and 1, -1 or 0"),
        (lambda lines: ["000000\n", *lines[1:]], "cat_trainval.txt, line 1: expected an image and 1, -1 or 0"),
        (lambda lines: lines[1:], "cat_trainval.txt does not list 000000"),
        (lambda lines: [*lines, "999999 1\n"], "cat_trainval.txt lists 999999, and aeroplane_trainval.txt does not"),
    ],
)
def test_a_faulty_line_is_named(written, change, fault):
    path, lines = lines_of(written)
    path.write_text("".join(change(lines)), encoding="utf-8")
    assert any(fault in found for found in load(written.root).faults)


def test_blank_lines_and_windows_line_ends_do_not_matter(written):
    path, lines = lines_of(written)
    path.write_bytes("\r\n".join(line.strip() for line in lines).encode() + b"\r\n\r\n")
    split = load(written.root)
    assert split.faults == ()
    np.testing.assert_array_equal(split.targets, written.targets["train"])
