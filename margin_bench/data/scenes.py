"""The transform of data sets whose images already have the size and the variety that the network needs."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Scenes:
    """Turns an image into a tensor and changes no pixel, in training as in testing."""

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
        """uint8 (H, W, 3) to uint8 (3, H, W); `rng`, which other transforms augment with, is not used."""
        return torch.from_numpy(image).permute(2, 0, 1).contiguous()
