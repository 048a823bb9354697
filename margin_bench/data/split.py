"""Hold what every data set gives: images, targets and class names of one split."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray


class ImageFiles(Sequence[Path]):
    """Name image files below one folder in one array: as many `Path` objects would take ten times the memory.

    Args:
        root: the folder.
        names: bytes (N,), relative to it, with "/" between folders.
        follow_links: whether they may be links out of it, or in a folder that is one.

    Examples:
        >>> images = ImageFiles(Path("photos"), np.array([b"a.jpg", b"sub/b.jpg"]))
        >>> len(images), images[1].as_posix()
        (2, 'photos/sub/b.jpg')
    """

    def __init__(self, root: Path, names: NDArray[np.bytes_], follow_links: bool = False) -> None:
        self.root = root
        self.names = names
        self.follow_links = follow_links

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice | NDArray[np.integer]) -> "ImageFiles": ...

    def __getitem__(self, index: int | slice | NDArray[np.integer]) -> "Path | ImageFiles":
        if isinstance(index, slice | np.ndarray):
            return ImageFiles(self.root, self.names[index], self.follow_links)
        return self.root / os.fsdecode(self.names[index])


@dataclass(frozen=True)
class Split:
    """Hold one split of a data set with N samples and C classes.

    Attributes:
        images: the N image files, or the images themselves as uint8 (N, H, W, 3), RGB.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_names: the C names, in the order of the columns of `targets`.
        boxes: float32 (N, 4) as left, top, right, bottom in pixels: the part of each image to use. None: all of it.
        faults: what is wrong in the annotations, a line each; the entries concerned are left out. No run starts with
            any; `margin-bench data check` lists them.
        notes: what is odd and does no harm, a line each. A run tells them and goes on.

    Examples:
        >>> images = np.zeros((3, 32, 32, 3), np.uint8)
        >>> targets = np.array([[1, 0], [1, 1], [0, -1]], np.int8)  # positive, negative, unlabeled
        >>> split = Split(images, targets, class_names=("cat", "dog"))
        >>> len(split)
        3
        >>> split.rows(np.array([2, 0])).targets.tolist()
        [[0, -1], [1, 0]]
    """

    images: Sequence[Path] | NDArray[np.uint8]
    targets: NDArray[np.int8]
    class_names: tuple[str, ...]
    boxes: NDArray[np.float32] | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, rows: NDArray[np.integer]) -> "Split":
        """Return some of the samples, in the order of `rows`, integers (n,)."""
        images: Sequence[Path] | NDArray[np.uint8]
        if isinstance(self.images, np.ndarray | ImageFiles):
            images = self.images[rows]
        else:
            images = [self.images[row] for row in rows.tolist()]
        boxes = None if self.boxes is None else self.boxes[rows]
        return replace(self, images=images, targets=self.targets[rows], boxes=boxes)
