"""What every data set gives: images, targets and class names of one split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """One split of a data set with N samples and C classes.

    Attributes:
        images: the N image files, or the images themselves as uint8 (N, H, W, 3), RGB.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_names: the C names, in the order of the columns of `targets`.
        boxes: float32 (N, 4) as left, top, right, bottom in pixels: the part of each image to use. None: all of it.
    """

    images: Sequence[Path] | NDArray[np.uint8]
    targets: NDArray[np.int8]
    class_names: tuple[str, ...]
    boxes: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.targets)
