"""A sheet of sample images."""

import numpy as np
import pytest
from PIL import Image

from margin_bench.data.contact_sheet import COLUMNS, GAP, ROWS, SIDE, TEXT_HEIGHT, draw_sheet
from margin_bench.data.split import Split
from margin_bench.errors import DataError

WHITE, DARK_RED = (255, 255, 255), (139, 0, 0)


def split_of(images):
    return Split(images, np.ones((len(images), 1), np.int8), ("thing",))


def shades(num_images):
    """Images of one colour each, in the order of their brightness."""
    return np.arange(num_images, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)


def drawn(split, file):
    """The colour in the middle of each image of the sheet, row by row, and all captions as one array of pixels."""
    draw_sheet(split, file)
    with Image.open(file) as sheet:
        assert sheet.size == (GAP + COLUMNS * (SIDE + GAP), GAP + ROWS * (SIDE + TEXT_HEIGHT + GAP))
        pixels = np.asarray(sheet.convert("RGB"))
    tops = [GAP + row * (SIDE + TEXT_HEIGHT + GAP) for row in range(ROWS)]
    lefts = [GAP + column * (SIDE + GAP) for column in range(COLUMNS)]
    middles = [tuple(pixels[top + SIDE // 2, left + SIDE // 2].tolist()) for top in tops for left in lefts]
    captions = np.concatenate([pixels[top + SIDE : top + SIDE + TEXT_HEIGHT] for top in tops])
    return middles, captions


def test_images_are_spread_evenly_from_the_first_to_the_last(tmp_path):
    """24 of 47 images: every other one."""
    middles, captions = drawn(split_of(shades(47)), tmp_path / "sheet.png")
    assert middles == [(shade,) * 3 for shade in range(0, 47, 2)]
    assert (captions < 100).any()


def test_a_small_split_leaves_the_rest_white(tmp_path):
    middles, _ = drawn(split_of(shades(2)), tmp_path / "sheet.png")
    assert middles == [(0,) * 3, (1,) * 3, *[WHITE] * 22]


def test_an_empty_split_is_an_empty_sheet(tmp_path):
    middles, captions = drawn(split_of(shades(0)), tmp_path / "sheet.png")
    assert middles == [WHITE] * 24
    assert (captions == 255).all()


def test_the_caption_names_the_positive_classes_alone(tmp_path):
    images, names = shades(2), ("thing", "other")
    unlabeled = Split(images, np.array([[0, -1], [0, 0]], np.int8), names)
    assert (drawn(unlabeled, tmp_path / "none.png")[1] == 255).all()
    first, second = (
        drawn(Split(images, np.array([labels, [0, 0]], np.int8), names), tmp_path / "sheet.png")[1]
        for labels in ([1, 0], [0, 1])
    )
    assert (first != second).any()


def test_an_image_file_is_cut_to_its_box_and_a_broken_one_is_dark_red(tmp_path):
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, 4:] = 200
    Image.fromarray(halves).save(tmp_path / "halves.png")
    (tmp_path / "broken.png").write_text("no image", encoding="utf-8")
    files, boxes = [tmp_path / "halves.png", tmp_path / "broken.png"], np.array([[4, 0, 8, 4]] * 2, np.float32)
    split = Split(files, np.ones((2, 1), np.int8), ("thing",), boxes)
    assert drawn(split, tmp_path / "sheet.png")[0][:2] == [(200,) * 3, DARK_RED]


def test_a_sheet_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        draw_sheet(split_of(shades(1)), tmp_path / "none" / "sheet.png")
