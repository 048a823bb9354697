"""Write labels beside the points of a plot, where they cover least."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

SIZE = 7  # of the letters, in points
MARKER = 4.5  # half a marker and the space around it, in points
# From a point to the nearest side of its label, in points; the best first.
PLACES = [
    distance * np.array(direction)
    for distance in (6, 16, 28)
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7))
]

Vector = NDArray[np.float64]  # (2,): x and y
Boxes = NDArray[np.float64]  # (K, 4): left, bottom, right, top, in pixels


def place_labels(axes: Axes, labels: Sequence[tuple[str, float, float]]) -> None:
    """Write each label beside its point, one after the other, at the first of the places where it misleads least.

    Args:
        axes: laid out: with their final limits and size.
        labels: text, x and y of each.
    """
    if not labels:
        return
    scale = axes.figure.dpi / 72  # pixels of a point, the unit of letters
    points = axes.transData.transform([(x, y) for _, x, y in labels])
    taken = np.hstack([points - MARKER * scale, points + MARKER * scale])
    for number, (text, x, y) in enumerate(labels):
        size, others = _size(axes, text), np.delete(points, number, axis=0)
        boxes = [_box(points[number] + scale * place, size, np.sign(place)) for place in PLACES]
        costs = [
            _covered(box, taken, axes) + _mistaken(points[number], scale * place, others, scale * MARKER)
            for box, place in zip(boxes, PLACES, strict=True)
        ]
        best = int(np.argmin(costs))
        taken = np.vstack([taken, boxes[best]])
        _write(axes, text, (x, y), PLACES[best])


def _size(axes: Axes, text: str) -> Vector:
    """Return width and height in pixels."""
    trial = axes.text(0, 0, text, fontsize=SIZE)
    size: Vector = np.array(trial.get_window_extent().size)
    trial.remove()
    return size


def _box(near: Vector, size: Vector, direction: Vector) -> Boxes:
    """Return the box (4,) of a label that lies in a direction from the place that its nearest side touches."""
    low = near - size * (1 - direction) / 2
    return np.concatenate([low, low + size])


def _write(axes: Axes, text: str, point: tuple[float, float], place: Vector) -> None:
    x, y = (round(sign) + 1 for sign in np.sign(place))
    axes.annotate(
        text,
        point,
        xytext=tuple(place),
        textcoords="offset points",
        fontsize=SIZE,
        ha=("right", "center", "left")[x],
        va=("top", "center", "bottom")[y],
        arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "#777777", "shrinkA": 0, "shrinkB": 2},
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},  # over lines of a spread
    )


def _mistaken(point: Vector, leader: Vector, others: Boxes, radius: float) -> float:
    """Return the area, in pixels, of the other points (K, 2) that the leader touches, or seems to lead from."""
    along = np.clip((others - point) @ leader / (leader @ leader), 0, 1)
    touched = np.linalg.norm(point + along[:, None] * leader - others, axis=1) < radius
    nearer = np.linalg.norm(point + leader - others, axis=1) < np.linalg.norm(leader)
    return float((touched | nearer).sum() * (2 * radius) ** 2)


def _covered(box: Boxes, taken: Boxes, axes: Axes) -> float:
    """Return the area of the box, in pixels, that lies on others or outside the axes."""
    left, bottom, right, top = axes.bbox.extents
    widths = np.minimum(taken[:, 2], box[2]) - np.maximum(taken[:, 0], box[0])
    heights = np.minimum(taken[:, 3], box[3]) - np.maximum(taken[:, 1], box[1])
    inside = max(0.0, min(right, box[2]) - max(left, box[0])) * max(0.0, min(top, box[3]) - max(bottom, box[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return float((np.clip(widths, 0, None) * np.clip(heights, 0, None)).sum() + 2 * (area - inside))
