"""Labels beside the points of a plot."""

from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from margin_bench.tables.plot_labels import place_labels


def test_labels_of_near_points_lie_apart():
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    points = [(f"a name {number}", 1 + 0.02 * number, 1 + 0.01 * (number % 3)) for number in range(8)]
    axes.plot([0, 2], [0, 2], "o")
    figure.draw_without_rendering()
    place_labels(axes, points)
    figure.draw_without_rendering()
    assert [text.get_text() for text in axes.texts] == [name for name, _, _ in points]
    boxes = [Text.get_window_extent(text).extents for text in axes.texts]  # without the lines to their points
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            assert apart, (one, other)


def test_a_label_does_not_stand_beside_another_point_than_its_own():
    figure = Figure(figsize=(4, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    figure.draw_without_rendering()
    place_labels(axes, [("left", 5.0, 5.0), ("middle", 5.5, 5.1), ("right", 6.0, 5.2)])
    left, middle, right = (text.xyann for text in axes.texts if isinstance(text, Annotation))
    assert left[0] < 0 < right[0]
    assert middle[0] == 0, "above or below, as on either side stands another point"
