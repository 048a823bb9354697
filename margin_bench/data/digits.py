"""The embedded data set `digits`: small multi-label scenes composed from scikit-learn's handwritten digits.

Every pixel comes from integer arithmetic and raw generator bits, so the bytes are the same on every machine and with
every version of the libraries.
"""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from margin_bench.data.split import Split
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE

SIZE = 64  # height and width of a scene in pixels
PALETTE = {
    "red": (215, 50, 45),
    "orange": (235, 135, 35),
    "yellow": (225, 210, 60),
    "green": (70, 175, 70),
    "cyan": (70, 195, 200),
    "blue": (60, 95, 215),
    "purple": (150, 75, 200),
    "pink": (235, 125, 185),
}
CLASS_NAMES = tuple(f"{colour} {digit}" for colour in PALETTE for digit in range(10))

_VERSION = 1  # part of the cache's file name: raise it whenever the bytes change
_SPLITS = ("train", "test")
_NUM_CLASSES = len(CLASS_NAMES)
_NUM_THEMES = 10
_NUM_OBJECTS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6)  # objects in a scene; each entry is as likely as the next
_MAX_CLUTTER = 3
_GRID = 3  # objects and clutter stand in distinct cells of a 3 x 3 grid
_DIGEST_BYTES = hashlib.sha256().digest_size

Canvas = NDArray[np.int32]  # (SIZE, SIZE, 3), RGB in 0, ..., 255
Glyphs = NDArray[np.int32]  # (N, 8, 8) of 0, ..., 16


class RandomIntegers:
    """Integers that depend on the key alone: PCG64's raw bits, reduced by our own arithmetic."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def below(self, bound: int) -> int:
        """One of 0, ..., bound - 1."""
        return int(self._bits.random_raw()) % bound

    def between(self, low: int, high: int) -> int:
        """One of low, ..., high."""
        return low + self.below(high - low + 1)

    def bytes(self, *shape: int) -> NDArray[np.int32]:
        """An array of 0, ..., 255 of the given shape."""
        count = int(np.prod(shape))
        raw = np.asarray(self._bits.random_raw(-(-count // 8)), dtype="<u8")
        return raw.view(np.uint8)[:count].reshape(shape).astype(np.int32)


def load(split: str, root: str | Path, num_train: int, num_test: int) -> Split:
    """The first `num_train` or `num_test` scenes of a split, generated at the first call and cached under `root`.

    A scene is a 64 x 64 RGB image with one to six coloured digits before clutter; a class is a (colour, digit) pair,
    which makes 8 x 10 = 80 classes, and a scene carries 2.9 labels on average.
    - Glyphs: the 1,797 digits of `sklearn.datasets.load_digits`; every third is kept for the test scenes alone.
    - Classes: long-tailed, the k-th most frequent drawn with weight 1 / (k + 3); half of the objects after the first
      are drawn from the theme of the first, one of 10 groups of 8 classes, so that classes co-occur.
    - Appearance: size, aspect, position and colour vary; objects may overlap. The background is a smooth random
      colour field with pixel noise. Clutter is up to three grey digits or coloured fragments of digits, without label.

    Scene i depends on (split, i) only: fewer scenes are a prefix of more.

    Args:
        split: "train" or "test".
        root: folder of the cache; made if it does not exist.
        num_train: number of train scenes.
        num_test: number of test scenes.

    Returns:
        Split with uint8 images (N, 64, 64, 3) and int8 targets (N, 80) of POSITIVE and NEGATIVE.

    Raises:
        DataError: the number of scenes is not positive, or `root` is not a folder that can be read and written.
    """
    num_scenes = {"train": num_train, "test": num_test}[split]
    if num_scenes < 1:
        raise DataError(f"digits: expected at least one {split} scene, got {num_scenes}; set dataset.num_{split}")
    path = Path(root) / f"digits-v{_VERSION}-{split}-{num_scenes}.bin"
    try:
        scenes = _read(path, num_scenes)
        if scenes is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                scenes = _read(path, num_scenes)  # another process may have been first
                if scenes is None:
                    scenes = generate(split, num_scenes)
                    _write(path, *scenes)
    except OSError as error:
        raise DataError(
            f"digits: expected a folder that can be read and written at {root}, got: {error}\n"
            "set dataset.root, or MARGIN_BENCH_DATA in the environment, to another folder"
        ) from error
    return Split(*scenes, class_names=CLASS_NAMES)


def generate(split: str, num_scenes: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Composes the first scenes of a split: uint8 images (N, 64, 64, 3) and int8 targets (N, 80)."""
    glyphs = load_glyphs(split)
    images = np.empty((num_scenes, SIZE, SIZE, 3), np.uint8)
    targets = np.full((num_scenes, _NUM_CLASSES), NEGATIVE, np.int8)
    for index in range(num_scenes):
        integers = RandomIntegers(_SPLITS.index(split), index)
        classes = _draw_classes(integers)
        images[index] = _compose(classes, glyphs, integers)
        targets[index, classes] = POSITIVE
    return images, targets


def load_glyphs(split: str) -> list[NDArray[np.int32]]:
    """The glyphs of a split by digit: ten arrays (N, 8, 8) of 0, ..., 16."""
    from sklearn.datasets import load_digits  # takes a second to import, needed only where scenes are made

    glyphs, digits = load_digits(return_X_y=True)
    in_split = (np.arange(len(digits)) % 3 == 2) == (split == "test")
    return [glyphs[in_split & (digits == digit)].reshape(-1, 8, 8).astype(np.int32) for digit in range(10)]


def paint_background(integers: RandomIntegers) -> Canvas:
    """A smooth random colour field with pixel noise."""
    field = integers.bytes(8, 8, 3) // 3
    rows = resize_matrix(SIZE)
    smooth = np.stack([rows @ field[..., channel] @ rows.T >> 16 for channel in range(3)], axis=-1)
    return smooth + integers.bytes(SIZE, SIZE, 3) // 10


def paint_glyph(canvas: Canvas, glyph: NDArray[np.int32], colour: NDArray[np.int32], box: tuple[int, ...]) -> None:
    """Blends a glyph, resized to `box` = (top, left, height, width), over the canvas; parts outside are cut off."""
    top, left, height, width = box
    opacity = resize_matrix(height) @ glyph @ resize_matrix(width).T >> 12  # 0, ..., 256
    rows = slice(max(top, 0), min(top + height, SIZE))
    columns = slice(max(left, 0), min(left + width, SIZE))
    opacity = opacity[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, None]
    window = canvas[rows, columns]
    window += (colour - window) * opacity >> 8


def paint_clutter(canvas: Canvas, glyph: NDArray[np.int32], integers: RandomIntegers, box: tuple[int, ...]) -> None:
    """Paints what has no label: a grey digit, or a coloured quarter of a digit."""
    if integers.below(2):
        colour = np.full(3, integers.between(60, 230), np.int32)
    else:
        colour = jittered_colour(integers.below(len(PALETTE)), integers)
        row, column = 4 * integers.below(2), 4 * integers.below(2)
        fragment = np.zeros_like(glyph)
        fragment[2:6, 2:6] = glyph[row : row + 4, column : column + 4]
        glyph = fragment
    paint_glyph(canvas, glyph, colour, box)


def jittered_colour(colour: int, integers: RandomIntegers) -> NDArray[np.int32]:
    """A colour of the palette, made darker by up to a third and shifted by up to 24 per channel."""
    base = np.array(tuple(PALETTE.values())[colour], np.int32) * integers.between(171, 256) >> 8
    shift = np.array([integers.between(-24, 24) for _ in range(3)], np.int32)
    return np.clip(base + shift, 0, 255)


@cache
def resize_matrix(size: int) -> NDArray[np.int32]:
    """Bilinear resizing of 8 values to `size` values as a matrix (size, 8); each row sums to 256."""
    matrix = np.zeros((size, 8), np.int32)
    for row in range(size):
        position = min(max((2 * row + 1) * 1024 // size - 128, 0), 7 * 256)  # pixel centres aligned, in 1/256 of a value
        value, fraction = divmod(position, 256)
        matrix[row, value] += 256 - fraction
        matrix[row, min(value + 1, 7)] += fraction
    return matrix


@cache
def _class_weights() -> tuple[int, ...]:
    """The long tail: integer weights of the 80 classes, mixed over digits and colours."""
    return tuple(1_000_000 // (_frequency_rank(label) + 3) for label in range(_NUM_CLASSES))


def _frequency_rank(label: int) -> int:
    return (label * 37 + 11) % _NUM_CLASSES


@cache
def _theme_classes(theme: int) -> tuple[int, ...]:
    return tuple(label for label in range(_NUM_CLASSES) if _frequency_rank(label) % _NUM_THEMES == theme)


def _draw_classes(integers: RandomIntegers) -> list[int]:
    """The classes of a scene's objects, from back to front; a class may repeat."""
    everything = tuple(range(_NUM_CLASSES))
    classes = [_draw_weighted(everything, integers)]
    theme = _theme_classes(_frequency_rank(classes[0]) % _NUM_THEMES)
    num_objects = _NUM_OBJECTS[integers.below(len(_NUM_OBJECTS))]
    while len(classes) < num_objects:
        classes.append(_draw_weighted(theme if integers.below(2) else everything, integers))
    return classes


def _draw_weighted(candidates: tuple[int, ...], integers: RandomIntegers) -> int:
    weights = _class_weights()
    remaining = integers.below(sum(weights[label] for label in candidates))
    for label in candidates:
        remaining -= weights[label]
        if remaining < 0:
            break
    return label


def _compose(classes: list[int], glyphs: list[NDArray[np.int32]], integers: RandomIntegers) -> Canvas:
    """One scene: background, then clutter, then an object per entry of `classes`."""
    canvas = paint_background(integers)
    cells = list(range(_GRID * _GRID))
    for _ in range(integers.between(0, _MAX_CLUTTER)):
        paint_clutter(canvas, draw_glyph(glyphs[integers.below(10)], integers), integers, draw_box(cells, integers))
    for label in classes:
        colour, digit = divmod(label, 10)
        glyph = draw_glyph(glyphs[digit], integers)
        paint_glyph(canvas, glyph, jittered_colour(colour, integers), draw_box(cells, integers))
    return canvas


def draw_glyph(glyphs: NDArray[np.int32], integers: RandomIntegers) -> NDArray[np.int32]:
    return np.asarray(glyphs[integers.below(len(glyphs))])


def draw_box(cells: list[int], integers: RandomIntegers) -> tuple[int, int, int, int]:
    """Takes a cell of the grid and returns a box (top, left, height, width) around its middle."""
    row, column = divmod(cells.pop(integers.below(len(cells))), _GRID)
    height, width = integers.between(17, 27), integers.between(15, 23)
    middle = [(2 * cell + 1) * SIZE // (2 * _GRID) + integers.between(-5, 5) for cell in (row, column)]
    return middle[0] - height // 2, middle[1] - width // 2, height, width


def _read(path: Path, num_scenes: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]] | None:
    """The scenes in a cache file, or None where the file is missing or torn."""
    if not path.exists():
        return None
    content = np.fromfile(path, np.uint8)
    digest, images, targets = np.split(content, [_DIGEST_BYTES, len(content) - num_scenes * _NUM_CLASSES])
    if digest.tobytes() != _digest(images, targets):
        return None
    return images.reshape(num_scenes, SIZE, SIZE, 3), targets.view(np.int8).reshape(num_scenes, _NUM_CLASSES)


def _write(path: Path, images: NDArray[np.uint8], targets: NDArray[np.int8]) -> None:
    """Writes digest, images and targets to one file, which appears whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_digest(images, targets))
            file.write(images.data)
            file.write(targets.data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _digest(images: NDArray[np.uint8], targets: NDArray[np.int8]) -> bytes:
    digest = hashlib.sha256(images.data)
    digest.update(targets.data)
    return digest.digest()
