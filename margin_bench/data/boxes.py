"""Check and convert boxes as annotation files give them: the left upper corner, and the size."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def box_fault(box: Any) -> str | None:
    """Say what is wrong with a box; None if nothing is.

    Args:
        box: what should be [left, top, width, height] in pixels, with a part inside of an image of any size.
    """
    is_numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)
    if not is_numbers or not all(map(math.isfinite, box)):
        return f"expected a box of four numbers, found {box}"
    if box[2] <= 0 or box[3] <= 0:
        return f"the box {box} has no area"
    if box[0] + box[2] <= 0 or box[1] + box[3] <= 0:
        return f"the box {box} lies outside of the image"
    return None


def from_corner_and_size(boxes: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """Convert N boxes that `box_fault` finds nothing wrong with.

    Args:
        boxes: [left, top, width, height] of each, in pixels.

    Returns:
        float32 (N, 4) as left, top, right, bottom.
    """
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners.astype(np.float32)
