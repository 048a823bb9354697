"""Make the embedded data set `digits`: small multi-label scenes composed from scikit-learn's handwritten digits.

Every pixel comes from integer arithmetic and raw generator bits, so the bytes are the same on every machine and with
every version of the libraries.
"""

import hashlib
from bisect import bisect_right
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from margin_bench.data.split import Split
from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import read_regular, sweep, write_atomic
from margin_bench.runtime.hardware import memory_bytes
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
_NUM_THEMES = 8
_NUM_OBJECTS = (1, 1, 2, 2, 2, 3, 3, 4, 5, 6)  # objects in a scene; each entry is as likely as the next
_MAX_CLUTTER = 3
_GRID = 3  # objects and clutter stand in distinct cells of a 3 x 3 grid
_DIGEST_BYTES = hashlib.sha256().digest_size

Canvas = NDArray[np.int32]  # (SIZE, SIZE, 3), RGB from 0 to 255
Glyph = NDArray[np.int32]  # (8, 8), ink from 0 to 16


class RandomIntegers:
    """Draw integers that depend on the key alone: PCG64's raw bits, reduced by our own arithmetic."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def below(self, bound: int) -> int:
        """Draw one of 0, ..., bound - 1."""
        return int(self._bits.random_raw()) % bound

    def between(self, low: int, high: int) -> int:
        """Draw one of low, ..., high."""
        return low + self.below(high - low + 1)

    def bytes(self, *shape: int) -> NDArray[np.int32]:
        """Draw an array of 0, ..., 255, int32 of the given shape."""
        count = int(np.prod(shape))
        raw = self._bits.random_raw(-(-count // 8)).astype("<u8")
        return raw.view(np.uint8)[:count].reshape(shape).astype(np.int32)


def load(split: str, root: str | Path, num_train: int, num_test: int) -> Split:
    """Load the first `num_train` or `num_test` scenes of a split, generated at the first call and then cached.

    A scene is an RGB image of 64 x 64 pixels with one to six coloured digits. A class is a pair of colour and digit,
    which makes 8 x 10 = 80 classes; a scene carries 2.9 labels on average.

    - Glyphs are the 1,797 digits of `sklearn.datasets.load_digits`; every third is kept for the test scenes alone.
    - Classes have a long tail: the k-th most frequent of 0, ..., 79 is drawn with weight 1 / (k + 3). They co-occur:
      half of the objects after the first are drawn from the theme of the first, one of 8 groups of 10 classes.
    - Size, aspect, position and colour of the objects vary, and neighbours may overlap.
    - Behind them are a smooth random colour field, pixel noise and up to three pieces of clutter without a label:
      grey digits and coloured fragments of digits.

    Scene i depends on (split, i) only, so fewer scenes are the first of more.

    Args:
        split: "train" or "test".
        root: the folder of the cache; made if it does not exist.
        num_train: the number of train scenes.
        num_test: the number of test scenes.

    Returns:
        A split with uint8 images (N, 64, 64, 3) and int8 targets (N, 80) of POSITIVE and NEGATIVE.

    Raises:
        ValueError: so many scenes do not fit the memory.
        DataError: the number of scenes is not positive, or `root` is no folder that can be read and written.
    """
    num_scenes = {"train": num_train, "test": num_test}[split]
    if num_scenes < 1:
        raise DataError(f"digits: expected at least one {split} scene, got {num_scenes}; change dataset.num_{split}")
    if num_scenes * (SIZE * SIZE * 3 + _NUM_CLASSES) > memory_bytes():
        raise ValueError(
            f"num_{split}={num_scenes:,} scenes do not fit the memory of {memory_bytes() / 2**30:.0f} GiB."
        )
    path = Path(root) / f"digits-v{_VERSION}-{split}-{num_scenes}.bin"
    try:
        images, targets = _read(path, num_scenes) or _generate_once(path, split, num_scenes)
    except OSError as error:
        raise DataError(
            f"digits: expected a folder that can be read and written, got {root}: {error}\n"
            "change dataset.root, or set MARGIN_BENCH_DATA in the environment"
        ) from error
    return Split(images, targets, CLASS_NAMES)


def generate(split: str, num_scenes: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Generate the first N scenes of a split, without a cache.

    Returns:
        images, uint8 (N, 64, 64, 3) in RGB, and targets, int8 (N, 80) of POSITIVE and NEGATIVE.
    """
    glyphs = load_glyphs(split)
    images = np.empty((num_scenes, SIZE, SIZE, 3), np.uint8)
    targets = np.full((num_scenes, _NUM_CLASSES), NEGATIVE, np.int8)
    for index in range(num_scenes):
        integers = RandomIntegers(_SPLITS.index(split), index)
        classes = _draw_classes(integers)
        images[index] = compose([divmod(label, 10) for label in classes], glyphs, integers)
        targets[index, classes] = POSITIVE
    return images, targets


def load_glyphs(split: str) -> list[list[Glyph]]:
    """Load the glyphs of a split, ten lists by digit."""
    from sklearn.datasets import load_digits  # a second to import, needed only where scenes are made

    glyphs, digits = load_digits(return_X_y=True)
    in_split = (np.arange(len(digits)) % 3 == 2) == (split == "test")
    return [list(glyphs[in_split & (digits == digit)].reshape(-1, 8, 8).astype(np.int32)) for digit in range(10)]


def compose(objects: list[tuple[int, int]], glyphs: list[list[Glyph]], integers: RandomIntegers) -> Canvas:
    """Compose a scene from back to front: the background, some clutter, the objects.

    Args:
        objects: pairs of colour, 0 to 7 in the order of PALETTE, and digit.
        glyphs: of `load_glyphs`.
        integers: all randomness.

    Returns:
        int32 (64, 64, 3), RGB from 0 to 255.
    """
    canvas = _paint_background(integers)
    cells = list(range(_GRID * _GRID))
    for _ in range(integers.between(0, _MAX_CLUTTER)):
        glyph = _draw_glyph(glyphs[integers.below(10)], integers)
        _paint_clutter(canvas, glyph, _draw_box(cells, integers), integers)
    for colour, digit in objects:
        glyph = _draw_glyph(glyphs[digit], integers)
        _paint_glyph(canvas, glyph, _draw_box(cells, integers), _jitter_colour(colour, integers))
    return canvas


def _draw_classes(integers: RandomIntegers) -> list[int]:
    """Draw the classes of a scene's objects, without repetition."""
    everything = range(_NUM_CLASSES)
    ranks = [_draw_rank(everything, integers)]
    theme = range(ranks[0] % _NUM_THEMES, _NUM_CLASSES, _NUM_THEMES)
    num_objects = _NUM_OBJECTS[integers.below(len(_NUM_OBJECTS))]
    while len(ranks) < num_objects:
        rank = _draw_rank(theme if integers.below(2) else everything, integers)
        if rank not in ranks:
            ranks.append(rank)
    return [(rank * 13 + 17) % _NUM_CLASSES for rank in ranks]  # mixes colours and digits along the tail and in a theme


def _draw_rank(ranks: range, integers: RandomIntegers) -> int:
    """Draw one of the ranks, which order the classes by falling frequency."""
    cumulative = _cumulative_weights(ranks)
    return ranks[bisect_right(cumulative, integers.below(cumulative[-1]))]


@cache
def _cumulative_weights(ranks: range) -> list[int]:
    return list(accumulate(1_000_000 // (rank + 3) for rank in ranks))


def _draw_glyph(glyphs: list[Glyph], integers: RandomIntegers) -> Glyph:
    return glyphs[integers.below(len(glyphs))]


def _draw_box(cells: list[int], integers: RandomIntegers) -> tuple[int, int, int, int]:
    """Take one of the free cells; return a box (top, left, height, width) in pixels around its middle."""
    row, column = divmod(cells.pop(integers.below(len(cells))), _GRID)
    height, width = integers.between(17, 27), integers.between(15, 23)
    top, left = (
        (2 * cell + 1) * SIZE // (2 * _GRID) + integers.between(-5, 5) - side // 2
        for cell, side in ((row, height), (column, width))
    )
    return top, left, height, width


def _jitter_colour(colour: int, integers: RandomIntegers) -> NDArray[np.int32]:
    """Return a colour of the palette, darkened by up to a third, each channel shifted by up to 24."""
    darkened = np.array(list(PALETTE.values())[colour], np.int32) * integers.between(171, 256) >> 8
    shift = np.array([integers.between(-24, 24) for _ in range(3)], np.int32)
    return (darkened + shift).clip(0, 255)


def _paint_background(integers: RandomIntegers) -> Canvas:
    """Paint a smooth colour field, resized from 8 x 8 random colours, with pixel noise."""
    field = integers.bytes(3, 8, 8) // 3
    resize = _resize_matrix(SIZE)
    smooth = (resize @ field @ resize.T) >> 16
    return smooth.transpose(1, 2, 0) + integers.bytes(SIZE, SIZE, 3) // 10


def _paint_clutter(canvas: Canvas, glyph: Glyph, box: tuple[int, int, int, int], integers: RandomIntegers) -> None:
    """Paint the glyph in grey, or one quarter of it in a colour of the palette."""
    if integers.below(2):
        _paint_glyph(canvas, glyph, box, np.full(3, integers.between(60, 230), np.int32))
        return
    top, left = 4 * integers.below(2), 4 * integers.below(2)
    fragment = np.zeros_like(glyph)
    fragment[2:6, 2:6] = glyph[top : top + 4, left : left + 4]
    _paint_glyph(canvas, fragment, box, _jitter_colour(integers.below(len(PALETTE)), integers))


def _paint_glyph(canvas: Canvas, glyph: Glyph, box: tuple[int, int, int, int], colour: NDArray[np.int32]) -> None:
    """Blend the glyph, resized to the box, over the canvas; what lies outside of the canvas is cut off."""
    top, left, height, width = box
    opacity = (_resize_matrix(height) @ glyph @ _resize_matrix(width).T) >> 12  # 0, ..., 256
    rows = slice(max(top, 0), min(top + height, SIZE))
    columns = slice(max(left, 0), min(left + width, SIZE))
    visible = opacity[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, None]
    canvas[rows, columns] += (colour - canvas[rows, columns]) * visible >> 8


@cache
def _resize_matrix(size: int) -> NDArray[np.int32]:
    """Return bilinear interpolation from 8 values to `size`, as a matrix (size, 8) whose rows sum to 256."""
    matrix = np.zeros((size, 8), np.int32)
    for row in range(size):
        position = min(max((2 * row + 1) * 1024 // size - 128, 0), 7 * 256)  # in 1/256 of a value, centre to centre
        value, fraction = divmod(position, 256)
        matrix[row, value] += 256 - fraction
        matrix[row, min(value + 1, 7)] += fraction
    return matrix


def _generate_once(path: Path, split: str, num_scenes: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Fill the cache; of several processes, the first generates and the others wait and read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if scenes := _read(path, num_scenes):
            return scenes
        scenes = generate(split, num_scenes)
        _write(path, *scenes)
        return scenes


def _read(path: Path, num_scenes: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]] | None:
    """Read the scenes in a cache file; None if the file is missing or damaged."""
    try:
        content = np.frombuffer(bytearray(read_regular(path)), np.uint8)
    except FileNotFoundError:
        return None
    num_pixels, num_targets = num_scenes * SIZE * SIZE * 3, num_scenes * _NUM_CLASSES
    if len(content) != _DIGEST_BYTES + num_pixels + num_targets:
        return None
    digest, images, targets = np.split(content, [_DIGEST_BYTES, _DIGEST_BYTES + num_pixels])
    if digest.tobytes() != _digest(images, targets):
        return None
    return images.reshape(num_scenes, SIZE, SIZE, 3), targets.view(np.int8).reshape(num_scenes, _NUM_CLASSES)


def _write(path: Path, images: NDArray[np.uint8], targets: NDArray[np.int8]) -> None:
    """Write digest, images and targets to one file, which appears whole or not at all. Call it under the lock."""
    sweep(path.parent)
    try:
        write_atomic(path, _digest(images, targets), images.data, targets.data)
    except CheckpointError as error:
        raise DataError(str(error)) from error


def _digest(images: NDArray[np.generic], targets: NDArray[np.generic]) -> bytes:
    digest = hashlib.sha256(images.data)
    digest.update(targets.data)
    return digest.digest()
