"""Boxes as annotation files give them."""

import numpy as np
import pytest

from margin_bench.data.boxes import box_fault, from_corner_and_size


@pytest.mark.parametrize("box", [[0, 0, 1, 1], [1.5, 2, 10, 12.5], [-3, -4, 5, 6]])
def test_a_box_with_a_part_inside_of_an_image_has_no_fault(box):
    assert box_fault(box) is None


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([0, 0, 5], "expected a box of four numbers, found [0, 0, 5]"),
        ((0, 0, 5, 5), "expected a box of four numbers"),
        ([0, 0, 5, "5"], "expected a box of four numbers"),
        (None, "expected a box of four numbers, found None"),
        ([0, 0, float("inf"), 5], "expected a box of four numbers"),
        ([0, float("nan"), 5, 5], "expected a box of four numbers"),
        ([1, 1, 0, 5], "the box [1, 1, 0, 5] has no area"),
        ([1, 1, 5, -5], "has no area"),
        ([-5, 0, 5, 5], "the box [-5, 0, 5, 5] lies outside of the image"),
        ([0, -9, 5, 5], "lies outside of the image"),
    ],
)
def test_a_faulty_box_is_named(box, fault):
    assert box_fault(box).startswith(fault) or box_fault(box).endswith(fault)


def test_corner_and_size_become_two_corners():
    """1 + 10 = 11 and 2 + 20 = 22."""
    corners = from_corner_and_size([[1, 2, 10, 20], [-0.5, 0, 1, 1]])
    assert corners.dtype == np.float32
    assert corners.tolist() == [[1, 2, 11, 22], [-0.5, 0, 0.5, 1]]


def test_no_box_is_an_empty_matrix():
    assert from_corner_and_size([]).shape == (0, 4)
