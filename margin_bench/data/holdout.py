"""Hold a part of a split out of training, to choose by it without looking at the test split."""

import os

import numpy as np
from numpy.typing import NDArray

from margin_bench.data.split import ImageFiles, Split


def hold_out(split: Split, share: float) -> tuple[Split, Split]:
    """Divide a split into what remains and what is held out, each in the split's order.

    All boxes of an image are in the same part. Which images are held out depends on their number and the share alone
    (with boxes also on the images' names), so it is the same for every run.

    Args:
        split: with at least two images.
        share: of the images, between 0 and 1; each part has at least one.

    Returns:
        What remains, and what is held out.
    """
    image_of = _image_of_each_sample(split)
    num_images = int(image_of.max()) + 1
    order = np.random.default_rng(0).permutation(num_images)
    num_held_out = min(max(1, round(share * num_images)), num_images - 1)
    is_held_out = np.isin(image_of, order[:num_held_out])
    return split.rows(np.flatnonzero(~is_held_out)), split.rows(np.flatnonzero(is_held_out))


def _image_of_each_sample(split: Split) -> NDArray[np.integer]:
    """Give the image of each sample a number, from 0."""
    if split.boxes is None:
        return np.arange(len(split))
    images = split.images
    names = images.names if isinstance(images, ImageFiles) else [os.fspath(path) for path in images]
    return np.unique(names, return_inverse=True)[1]
