"""A held-out part of a split."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from margin_bench.data.holdout import hold_out
from margin_bench.data.split import Split


def split_of(num_samples: int) -> Split:
    files = [Path(f"{number}.jpg") for number in range(num_samples)]
    numbers = np.arange(num_samples)
    boxes = np.stack([numbers, numbers, numbers + 1, numbers + 1], axis=1).astype(np.float32)
    return Split(files, (numbers % 2).astype(np.int8)[:, np.newaxis], ("odd",), boxes)


@given(num_samples=st.integers(2, 50), share=st.floats(0.001, 0.999))
def test_each_sample_is_in_one_part_with_its_own_target_and_box(num_samples, share):
    parts = hold_out(split_of(num_samples), share)
    numbers = [[int(image.stem) for image in part.images] for part in parts]
    assert sorted(numbers[0] + numbers[1]) == list(range(num_samples))
    assert min(len(part) for part in parts) >= 1
    assert abs(len(parts[1]) - share * num_samples) <= 1
    for part, own in zip(parts, numbers, strict=True):
        assert own == sorted(own)
        assert part.targets[:, 0].tolist() == [number % 2 for number in own]
        assert part.boxes[:, 0].tolist() == own


@given(image_of=st.lists(st.integers(0, 8), min_size=2, max_size=50), share=st.floats(0.001, 0.999))
def test_all_boxes_of_an_image_are_in_one_part(image_of, share):
    files = [Path(f"{number}.jpg") for number in image_of]
    boxes = np.arange(4 * len(files), dtype=np.float32).reshape(-1, 4)
    targets = np.ones((len(files), 1), np.int8)
    remaining, held_out = hold_out(Split(files, targets, ("any",), boxes), share)
    assert not set(remaining.images) & set(held_out.images)
    assert len(remaining) + len(held_out) == len(files)
    assert abs(len(set(held_out.images)) - share * len(set(files))) <= 1


def test_images_in_memory_are_divided_as_well():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1).repeat(3, axis=3)
    remaining, held_out = hold_out(Split(images, np.ones((10, 1), np.int8), ("any",)), 0.2)
    assert sorted(np.concatenate([remaining.images, held_out.images])[:, 0, 0, 0]) == list(range(10))
    assert len(held_out) == 2
