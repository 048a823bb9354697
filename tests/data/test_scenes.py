"""Images that are left as they are."""

import numpy as np
import torch

from margin_bench.data.scenes import Scenes


def test_an_image_becomes_a_tensor_with_channels_first():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    tensor = Scenes()(image, None)
    assert tensor.dtype == torch.uint8
    assert tensor.tolist() == image.transpose(2, 0, 1).tolist()


def test_training_and_testing_see_the_same_pixels():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert torch.equal(Scenes()(image, np.random.default_rng(0)), Scenes()(image, None))


def test_a_tensor_outlives_its_image():
    image = np.zeros((2, 3, 3), np.uint8)
    tensor = Scenes()(image, None)
    image[:] = 255
    assert tensor.max() == 0
