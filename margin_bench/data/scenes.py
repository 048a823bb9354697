"""Leave images as they are: for data sets that already have the size and the variety that the network needs."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Scenes:
    """Turn an image into a tensor and change no pixel, in training as in testing."""

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
        """Transform one image.

        Args:
            image: uint8 (H, W, 3).
            rng: not used; other transforms augment with it.

        Returns:
            uint8 (3, H, W).
        """
        return torch.from_numpy(image).permute(2, 0, 1).contiguous()
