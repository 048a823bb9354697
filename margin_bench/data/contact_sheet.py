"""Draw a sheet of sample images with their labels, to look at."""

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from margin_bench.data.images import read_image
from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.targets import positives

COLUMNS, ROWS = 6, 4
SIDE, TEXT_HEIGHT, GAP = 180, 58, 8  # pixels
NUM_LINES, LINE_CHARACTERS = 4, 30


def draw_sheet(split: Split, file: Path) -> None:
    """Write a PNG of 24 images that are spread evenly over a split, each above the names of its positive classes.

    An image that cannot be read is a dark red square.

    Args:
        split: the images; fewer than 24 leave the rest of the sheet white.
        file: where to write, whatever its ending.

    Raises:
        DataError: the file cannot be written.
    """
    rows = np.unique(np.linspace(0, len(split) - 1, COLUMNS * ROWS).round().astype(int)) if len(split) else np.array([])
    size = (GAP + COLUMNS * (SIDE + GAP), GAP + ROWS * (SIDE + TEXT_HEIGHT + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for place, row in enumerate(rows.tolist()):
        left = GAP + place % COLUMNS * (SIDE + GAP)
        top = GAP + place // COLUMNS * (SIDE + TEXT_HEIGHT + GAP)
        sheet.paste(ImageOps.pad(_image(split, row), (SIDE, SIDE), color="lightgrey"), (left, top))
        draw.multiline_text((left, top + SIDE + 2), _caption(split, row), fill="black", spacing=2)
    try:
        sheet.save(file, "PNG")
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror or error}.") from error


def _image(split: Split, row: int) -> Image.Image:
    if isinstance(split.images, np.ndarray):
        return Image.fromarray(split.images[row])
    try:
        return read_image(split.images[row], None if split.boxes is None else split.boxes[row])
    except DataError:
        return Image.new("RGB", (SIDE, SIDE), "darkred")


def _caption(split: Split, row: int) -> str:
    names = [split.class_names[column] for column in np.flatnonzero(positives(split.targets[row]))]
    return "\n".join(textwrap.wrap(", ".join(names), LINE_CHARACTERS, max_lines=NUM_LINES, placeholder=" ..."))
