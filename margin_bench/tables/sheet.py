"""Lay a measured table out in grids of cells, as every format shows them. Imports no torch."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from margin_bench.tables.cells import Cell, Measured
from margin_bench.tables.notes import Note, label_of, notes
from margin_bench.tables.spec import NO_AXIS, SCORES, Block

TITLES = {
    "map_class": "mAP@class",
    "map_sample": "mAP@sample",
    "num_classes": "classes",
    "num_train": "training samples",
    "num_test": "test samples",
    "labels_per_sample": "labels per sample",
}


@dataclass(frozen=True)
class Figure:
    """The figure of one cell by one measure.

    Attributes:
        label: of the cell within its table.
        mean, std: over seeds; None where there is no run, and no standard deviation of one.
        num_seeds: how many runs there are; num_wanted: how many there should be.
        published: None if it is not known; is_published: whether the paper has this cell in this setting.
        is_best: whether it leads beyond the spread.
        run_ids: its runs.
    """

    label: str
    measure: str
    mean: float | None
    std: float | None
    num_seeds: int
    num_wanted: int
    published: float | None
    is_published: bool
    run_ids: tuple[str, ...]
    is_best: bool = False

    @property
    def gap(self) -> float | None:
        """Measured less published."""
        return None if self.mean is None or self.published is None else self.mean - self.published

    def measured_words(self) -> str:
        """Write mean, standard deviation and number of seeds; `missing` where there is no run."""
        if self.mean is None:
            return "missing"
        if self.measure not in SCORES:
            return self._number(self.mean)
        spread = "" if self.std is None else f" ± {self._number(self.std)}"
        of = f" of {self.num_wanted}" if self.num_seeds < self.num_wanted else ""
        return f"{self._number(self.mean)}{spread} ({self.num_seeds}{of})"

    def published_words(self) -> str:
        """Write the published value and the gap in brackets; nothing where the paper has no such cell."""
        if not self.is_published:
            return ""
        value = "unknown" if self.published is None else self._number(self.published)
        gap = "" if self.gap is None else f", {'+' if self.gap >= 0 else '-'}{self._number(abs(self.gap))}"
        return f"[{value}{gap}]"

    def _number(self, value: float) -> str:
        if self.measure in SCORES:
            return f"{value:.2f}"
        return f"{value:.1f}" if self.measure == "labels_per_sample" else f"{value:,.0f}"


@dataclass(frozen=True)
class Grid:
    """Figures in rows and columns."""

    title: str
    corner: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Figure, ...]], ...]


@dataclass(frozen=True)
class Sheet:
    """A table ready to be written in any format."""

    name: str
    caption: str
    grids: tuple[Grid, ...]
    notes: tuple[Note, ...]

    def figures(self) -> Iterator[Figure]:
        """Return the figures of all grids."""
        return (figure for grid in self.grids for _, figures in grid.rows for figure in figures)


def sheet(measured: Measured) -> Sheet:
    """Lay a measured table out."""
    grids = [grid for block in measured.table.blocks for grid in _grids(measured, block)]
    name = " ".join([measured.table.name, *measured.request.words, *measured.request.rate_words])
    return Sheet(name, measured.table.caption, tuple(grids), tuple(notes(measured)))


def _grids(measured: Measured, block: Block) -> Iterator[Grid]:
    """Yield a grid for each measure where a block has rows and columns; else one, measures along the missing side."""
    if NO_AXIS in (block.rows, block.columns):
        yield _grid_of_measures(measured, block)
        return
    for measure in measured.table.measures:
        yield _grid_of(measured, block, measure)


def _grid_of(measured: Measured, block: Block, measure: str) -> Grid:
    rows, columns, wanted = block.rows, block.columns, len(measured.wanted_seeds)
    cells = {(cell.row.label, cell.column.label): cell for cell in measured.cells if cell.block is block}
    by_column = [
        with_best([_figure(cells[row.label, column.label], measure, wanted) for row in rows.entries])
        for column in columns.entries
    ]
    return Grid(
        title=f"{block.name}, {TITLES[measure]}" if block.name else TITLES[measure],
        corner=f"{rows.name} \\ {columns.name}",
        header=tuple(entry.label for entry in columns.entries),
        rows=tuple(zip((entry.label for entry in rows.entries), zip(*by_column, strict=True), strict=True)),
    )


def _grid_of_measures(measured: Measured, block: Block) -> Grid:
    rows, columns, wanted = block.rows, block.columns, len(measured.wanted_seeds)
    cells = [cell for cell in measured.cells if cell.block is block]
    measures = measured.table.measures
    titles = tuple(TITLES[measure] for measure in measures)
    by_measure = [with_best([_figure(cell, measure, wanted) for cell in cells]) for measure in measures]
    if rows == NO_AXIS:
        labels = tuple(entry.label for entry in columns.entries)
        return Grid(block.name, columns.name, labels, tuple(zip(titles, map(tuple, by_measure), strict=True)))
    labels = tuple(entry.label for entry in rows.entries)
    return Grid(block.name, rows.name, titles, tuple(zip(labels, zip(*by_measure, strict=True), strict=True)))


def _figure(cell: Cell, measure: str, wanted: int) -> Figure:
    values = cell.values(measure)
    return Figure(
        label=label_of(cell),
        measure=measure,
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        num_seeds=len(values),
        num_wanted=wanted,
        published=cell.published.get(measure),
        is_published=measure in cell.published,
        run_ids=tuple(record["run_id"] for record in cell.records),
    )


def with_best(figures: Sequence[Figure]) -> list[Figure]:
    """Return the figures, the best of them marked if it leads beyond the spread.

    It leads if its mean less its standard deviation is above the mean plus the standard deviation of every other. No
    figure is marked if one of them has fewer than two seeds, or if there is nothing to compare with.
    """
    spreads = [(each.mean, each.std) for each in figures if each.mean is not None and each.std is not None]
    intervals = [(mean - std, mean + std) for mean, std in spreads]
    if len(intervals) < len(figures) or len(figures) < 2:
        return list(figures)
    best = max(range(len(figures)), key=lambda position: intervals[position])
    others = [upper for position, (_, upper) in enumerate(intervals) if position != best]
    leads = intervals[best][0] > max(others)
    return [replace(figure, is_best=leads and position == best) for position, figure in enumerate(figures)]
