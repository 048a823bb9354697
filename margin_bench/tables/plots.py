"""Draw a measured table as a plot. Imports matplotlib, and no torch.

Two numeric axes make heat maps, one of them makes lines, everything else is a scatter of mAP@class and mAP@sample.
"""

import io
import math
import statistics
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from margin_bench.tables.cells import Cell, Measured
from margin_bench.tables.plot_labels import place_labels
from margin_bench.tables.sheet import TITLES
from margin_bench.tables.spec import NO_AXIS, Axis, Block

# Okabe and Ito's colours, which the colour-blind tell apart; the markers tell the same.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
GREY = "#555555"
STYLE: list[Any] = [
    "default",  # whatever the user's own matplotlibrc says
    {
        "font.family": "DejaVu Sans",  # ships with matplotlib
        "font.size": 9,
        "axes.axisbelow": True,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "grid.color": "#E5E5E5",
        "legend.frameon": False,
        "svg.hashsalt": "margin-bench",
        "text.parse_math": False,  # labels are the user's, who may have dollars
    },
]
METADATA = {".png": {"Software": None}, ".svg": {"Creator": None, "Date": None}}  # what would change the bytes
PIXELS_PER_INCH = 150
MOST_LABELS = 40  # of one panel, that can still be read
HIGHEST = 102  # percent, a little above the highest score so that its point is whole


@dataclass(frozen=True)
class Point:
    """A score of a cell, in percent; the published one is None where there is none."""

    mean: float | None
    std: float | None
    published: float | None


@dataclass(frozen=True)
class Pair:
    """Both scores of a cell, and how it is told apart from the others of its panel."""

    series: str
    label: str
    map_class: Point
    map_sample: Point

    @property
    def measured(self) -> tuple[float, float] | None:
        """The means, if there are both."""
        means = self.map_class.mean, self.map_sample.mean
        return None if means[0] is None or means[1] is None else (means[0], means[1])

    @property
    def published(self) -> tuple[float, float] | None:
        """The published values, if both are known."""
        values = self.map_class.published, self.map_sample.published
        return None if values[0] is None or values[1] is None else (values[0], values[1])


def plots(measured: Measured) -> dict[str, bytes]:
    """Return the table as PNG and SVG, by suffix; nothing if it has no scores to show.

    The same records make the same bytes with one version of matplotlib.
    """
    if measured.table.is_of_facts or not measured.records:
        return {}
    with style.context(STYLE):
        figure = _drawing(measured)(measured)
        return {suffix: _saved(figure, suffix) for suffix in METADATA}


def _saved(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=PIXELS_PER_INCH, metadata=METADATA[suffix])
    return buffer.getvalue()


def _drawing(measured: Measured) -> Callable[[Measured], Figure]:
    axes = [(block.rows, block.columns) for block in measured.table.blocks]
    if all(_is_numeric(rows) and _is_numeric(columns) for rows, columns in axes):
        return _heat_maps
    if len(axes) == 1 and NO_AXIS in axes[0] and any(map(_is_numeric, axes[0])):
        return _lines
    return _scatter


def _is_numeric(axis: Axis) -> bool:
    try:
        return all(math.isfinite(float(entry.label)) for entry in axis.entries)
    except ValueError:
        return False


def _heat_maps(measured: Measured) -> Figure:
    """Draw a row of panels for each block, a panel for each measure."""
    blocks, measures = measured.table.blocks, measured.table.measures
    width = 1.5 + 0.75 * max(len(block.columns.entries) for block in blocks)
    height = 1.0 + 0.55 * max(len(block.rows.entries) for block in blocks)
    figure, panels = _figure(measured, len(blocks), len(measures), width, height)
    for block, row in zip(blocks, panels, strict=True):
        for measure, axes in zip(measures, row, strict=True):
            points = [
                [_point(cell, measure) for cell in _cells(measured, block) if cell.row is entry]
                for entry in block.rows.entries
            ]
            _heat_map(figure, axes, block, points)
            axes.set_title(_title(block.name, TITLES[measure]))
    if any(cell.published.get(measure) is not None for cell in measured.cells for measure in measures):
        figure.supxlabel("in brackets: published", fontsize=8)
    return figure


def _heat_map(figure: Figure, axes: Axes, block: Block, points: list[list[Point]]) -> None:
    means = [[float("nan") if point.mean is None else point.mean for point in row] for row in points]
    known = [point.mean for row in points for point in row if point.mean is not None]
    middle = (min(known, default=0.0) + max(known, default=0.0)) / 2
    image = axes.imshow(means, cmap="cividis", aspect="auto")
    axes.set_xticks(range(len(block.columns.entries)), [entry.label for entry in block.columns.entries])
    axes.set_yticks(range(len(block.rows.entries)), [entry.label for entry in block.rows.entries])
    axes.set_xlabel(block.columns.name)
    axes.set_ylabel(block.rows.name)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for y, row in enumerate(points):
        for x, point in enumerate(row):
            is_dark = point.mean is not None and point.mean < middle
            axes.text(
                x, y, _in_words(point), ha="center", va="center", fontsize=7, color="white" if is_dark else "black"
            )
    figure.colorbar(image, ax=axes)


def _in_words(point: Point) -> str:
    lines = ["missing" if point.mean is None else f"{point.mean:.2f}"]
    lines += [] if point.std is None else [f"±{point.std:.2f}"]
    lines += [] if point.published is None else [f"[{point.published:.2f}]"]
    return "\n".join(lines)


def _lines(measured: Measured) -> Figure:
    """Draw a panel for each measure."""
    (block,) = measured.table.blocks
    axis = block.columns if block.rows is NO_AXIS else block.rows
    labels = [entry.label for entry in axis.entries]
    measures = measured.table.measures
    figure, panels = _figure(measured, 1, len(measures), 3.6, 2.8)
    for measure, axes, colour in zip(measures, panels[0], COLOURS, strict=False):
        points = [_point(cell, measure) for cell in _cells(measured, block)]
        means, stds, published = _columns(points)
        positions = range(len(points))
        axes.errorbar(positions, means, yerr=stds, color=colour, marker="o", capsize=3, label="measured")
        if any(point.published is not None for point in points):
            axes.plot(positions, published, color=GREY, marker="o", mfc="none", ls="--", label="published")
        axes.set_xticks(positions, labels)
        axes.set_xlabel(axis.name)
        axes.set_ylabel(f"{TITLES[measure]}, percent")
        axes.grid()
        axes.yaxis.set_major_locator(MaxNLocator(6))
    _legend(figure, panels[0])
    return figure


def _scatter(measured: Measured) -> Figure:
    """Draw a panel for each block with rows and columns, or for each of its series, and one for all others together."""
    panels = list(_scatter_panels(measured))
    num_columns = min(3, len(panels))
    most = max(len(pairs) for _, pairs in panels)
    side = 3.2 + 0.05 * most
    figure, grid = _figure(measured, -(-len(panels) // num_columns), num_columns, 1.2 * side, side)
    flat = [axes for row in grid for axes in row]
    for axes in flat[len(panels) :]:
        axes.set_axis_off()
    series = list(dict.fromkeys(pair.series for _, pairs in panels for pair in pairs))
    for (title, pairs), axes in zip(panels, flat, strict=False):
        _scatter_panel(axes, title, pairs, series)
    _set_limits(flat[: len(panels)], are_shared=any(map(_is_crowded, measured.table.blocks)))
    _legend(figure, flat[: len(panels)])
    figure.draw_without_rendering()  # lays the panels out, so that labels find their place
    figure.set_layout_engine("none")
    for (_, pairs), axes in zip(panels, flat, strict=False):
        place_labels(axes, [(pair.label, *place) for pair in pairs if (place := pair.measured or pair.published)])
    return figure


def _scatter_panel(axes: Axes, title: str, pairs: Sequence[Pair], series: Sequence[str]) -> None:
    for number, name in enumerate(series):
        if own := [pair for pair in pairs if pair.series == name]:
            _draw_series(axes, number, name, own)
    axes.set_title(title)
    axes.set_xlabel(f"{TITLES['map_class']}, percent")
    axes.set_ylabel(f"{TITLES['map_sample']}, percent")
    axes.margins(0.15)
    axes.grid()


def _scatter_panels(measured: Measured) -> Iterator[tuple[str, list[Pair]]]:
    """Yield the title and the cells of each panel; of rows and columns, the fewer are the series of a block.

    A block of more cells than can be told apart has a panel for each series.
    """
    together = []
    for block in measured.table.blocks:
        cells = _cells(measured, block)
        if NO_AXIS in (block.rows, block.columns):
            together += [_pair(cell, block.name, _label_along(block, cell)) for cell in cells]
            continue
        if len(block.rows.entries) < len(block.columns.entries):
            pairs = [_pair(cell, cell.row.label, cell.column.label) for cell in cells]
        else:
            pairs = [_pair(cell, cell.column.label, cell.row.label) for cell in cells]
        if not _is_crowded(block):
            yield block.name, pairs
            continue
        for series in dict.fromkeys(pair.series for pair in pairs):
            yield _title(block.name, series), [pair for pair in pairs if pair.series == series]
    if together:
        names = {pair.series for pair in together}
        yield names.pop() if len(names) == 1 else "", together


def _label_along(block: Block, cell: Cell) -> str:
    """Return the label of a cell on the one axis of its block; a number is told with the axis's name."""
    axis, entry = (block.rows, cell.row) if block.columns is NO_AXIS else (block.columns, cell.column)
    return f"{axis.name} {entry.label}" if axis is not NO_AXIS and _is_numeric(axis) else entry.label


def _is_crowded(block: Block) -> bool:
    return NO_AXIS not in (block.rows, block.columns) and len(list(block.pairs())) > MOST_LABELS


def _set_limits(panels: Sequence[Axes], are_shared: bool) -> None:
    """Keep panels within what a score can be, all of them alike if they are to be compared."""
    for axis in ("x", "y"):
        limits = [getattr(axes, f"get_{axis}lim")() for axes in panels]
        widest = min(low for low, _ in limits), max(high for _, high in limits)
        for axes, own in zip(panels, limits, strict=True):
            low, high = widest if are_shared else own
            axes.set(**{f"{axis}lim": (max(low, 0), min(high, HIGHEST))})


def _pair(cell: Cell, series: str, label: str) -> Pair:
    return Pair(series, label, _point(cell, "map_class"), _point(cell, "map_sample"))


def _draw_series(axes: Axes, number: int, name: str, pairs: Sequence[Pair]) -> None:
    """Draw measured points, and hollow ones for what is published, with a dotted line between those of a cell."""
    marker = (number + number // len(COLOURS)) % len(MARKERS)  # so that no two of 49 series look alike
    look: Any = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[marker], "ls": "none"}
    x, x_std, x_published = _columns([pair.map_class for pair in pairs])
    y, y_std, y_published = _columns([pair.map_sample for pair in pairs])
    axes.errorbar(x, y, xerr=x_std, yerr=y_std, elinewidth=0.8, label=name or "measured", **look)
    if any(pair.published for pair in pairs):
        axes.plot(x_published, y_published, mfc="none", **look)
        axes.plot([], [], mfc="none", color=GREY, marker="o", ls="none", label="published")
        axes.plot([x, x_published], [y, y_published], color=look["color"], ls=":", lw=0.8)


def _figure(measured: Measured, num_rows: int, num_columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """Make a figure of equal panels, each of a size in inches, and its axes, an array (num_rows, num_columns)."""
    figure = Figure(figsize=(num_columns * width, num_rows * height + 0.6))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.06)
    rates = ["a rate of its own for each cell"] if measured.request.rates else []
    words = [*measured.request.words, *rates, _seeds_in_words(measured)]
    title = f"{measured.table.caption} ({', '.join(words)})"
    figure.suptitle("\n".join(textwrap.wrap(title, int(14 * num_columns * width))), fontsize=10)
    return figure, figure.subplots(num_rows, num_columns, squeeze=False)


def _seeds_in_words(measured: Measured) -> str:
    counts = sorted({len(cell.records) for cell in measured.cells if cell.records})
    if counts == [1]:
        return "one seed"
    return f"mean ± std over {' to '.join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))} seeds"


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """Draw one legend for all panels, if there is more than one thing to tell apart; what is published comes last."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = sorted(handles, key=lambda label: label == "published")
    if len(labels) > 1:
        inches = 0.6 + 0.08 * max(map(len, labels))  # of one entry
        columns = max(1, min(len(labels), int(figure.get_figwidth() / inches)))
        figure.legend([handles[label] for label in labels], labels, loc="outside lower center", ncols=columns)


def _title(block_name: str, part: str) -> str:
    return f"{block_name}, {part}" if block_name else part


def _cells(measured: Measured, block: Block) -> list[Cell]:
    return [cell for cell in measured.cells if cell.block is block]


def _point(cell: Cell, measure: str) -> Point:
    values = cell.values(measure)
    return Point(
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        published=cell.published.get(measure),
    )


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float], list[float]]:
    """Return means, standard deviations (0 of a single run) and published values, NaN where there is none."""
    nan = float("nan")
    return (
        [nan if point.mean is None else point.mean for point in points],
        [point.std or 0.0 for point in points],
        [nan if point.published is None else point.published for point in points],
    )
