"""What stands in the cells of a table."""

import statistics

import pytest

from margin_bench.tables.sheet import Figure, with_best


def figure(*values: float, published: float | None = None, is_published: bool = False, wanted: int = 0) -> Figure:
    return Figure(
        label="cell",
        measure="map_class",
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        num_seeds=len(values),
        num_wanted=wanted,
        published=published,
        is_published=is_published,
        run_ids=(),
    )


def best(*figures: Figure) -> list[bool]:
    return [each.is_best for each in with_best(figures)]


@pytest.mark.parametrize(
    ("shown", "measured", "published"),
    [
        (figure(), "missing", ""),
        (figure(is_published=True), "missing", "[unknown]"),
        (figure(published=70.0, is_published=True), "missing", "[70.00]"),
        (figure(71.0), "71.00 (1)", ""),
        (figure(71.0, wanted=3), "71.00 (1 of 3)", ""),
        (figure(71.0, 73.0), "72.00 ± 1.41 (2)", ""),
        (figure(71.0, published=70.5, is_published=True), "71.00 (1)", "[70.50, +0.50]"),
        (figure(70.0, published=70.5, is_published=True), "70.00 (1)", "[70.50, -0.50]"),
    ],
)
def test_a_figure_in_words(shown, measured, published):
    assert (shown.measured_words(), shown.published_words()) == (measured, published)


def test_the_best_is_marked_if_it_leads_beyond_the_spread():
    """80 ± 1.41 begins at 78.59, 76 ± 1.41 ends at 77.41."""
    assert best(figure(75.0, 77.0), figure(79.0, 81.0), figure(10.0, 10.0)) == [False, True, False]


def test_intervals_that_meet_have_no_best():
    """78 ± 1.41 begins at 76.59, 76 ± 1.41 ends at 77.41."""
    assert best(figure(75.0, 77.0), figure(77.0, 79.0)) == [False, False]
    assert best(figure(70.0, 70.0), figure(70.0, 70.0)) == [False, False]


@pytest.mark.parametrize("other", [figure(), figure(1.0)])
def test_beside_a_cell_without_spread_nothing_is_marked(other):
    assert best(figure(79.0, 81.0), other) == [False, False]


def test_a_figure_alone_is_not_the_best():
    assert best(figure(79.0, 81.0)) == [False]
