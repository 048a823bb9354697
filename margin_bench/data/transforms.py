"""Transform images as the paper does (section 4.1), with all randomness from a generator that the caller gives."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import Tensor

from margin_bench.data.loading import IMAGENET_MEAN, IMAGENET_STD

CROP_SCALE = (0.08, 1.0)  # area of the training crop, as a part of the image
CROP_RATIO = (3 / 4, 4 / 3)  # width over height of the training crop
CROP_ATTEMPTS = 10
JITTER = 0.4  # brightness, contrast and saturation change by a factor of up to 1 ± JITTER
ENHANCERS = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}
LIGHTING_STD = 0.1
TEST_RESIZE = 256 / 224  # short side before the central crop, over the crop

# Principal components of the RGB values of ImageNet on the scale 0 to 1 (AlexNet, Krizhevsky et al. 2012, section 4.1).
RGB_EIGENVALUES = (0.2175, 0.0188, 0.0045)
RGB_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class Paper:
    """Crop at random, flip, and change colours and lighting for training; take the centre for the test.

    Args:
        image_size: height and width of the result in pixels.
    """

    def __init__(self, image_size: int) -> None:
        self.image_size = image_size

    def __call__(self, image: Image.Image | NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
        """Transform one image.

        Args:
            image: RGB, of any size; an array is (H, W, 3).
            rng: source of the augmentation; None: the test transform.

        Returns:
            float32 (3, image_size, image_size), normalised by the statistics of ImageNet.
        """
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if rng is None:
            return _normalised(_to_tensor(test_crop(image, self.image_size)))
        image = train_crop(image, self.image_size, rng)
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = jitter_colours(image, rng)
        return _normalised(_to_tensor(image) + lighting(rng))


def test_crop(image: Image.Image, size: int) -> Image.Image:
    """Cut the centre of an image, `size` x `size`, after its short side is brought to 256/224 of `size`."""
    image = image.resize(test_size(image.width, image.height, size), Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def test_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height of the image from which a test crop of `size` is cut; all in pixels.

    Examples:
        >>> test_size(640, 480, size=224)
        (341, 256)
    """
    short = test_side(size)
    return (short * width // height, short) if width > height else (short, short * height // width)


def test_side(size: int) -> int:
    """Return the short side, in pixels, of the image from which a test crop of `size` is cut.

    Examples:
        >>> test_side(224)
        256
    """
    return round(size * TEST_RESIZE)


def train_crop(image: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Cut a crop of random area, shape and place, and resize it to a square of `size` pixels."""
    return image.crop(draw_crop(image.width, image.height, rng)).resize((size, size), Image.Resampling.BILINEAR)


def draw_crop(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a crop of an image; if none of CROP_ATTEMPTS fits, take the largest central one of an allowed shape.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        rng: all randomness.

    Returns:
        left, top, right, bottom in pixels.
    """
    for _ in range(CROP_ATTEMPTS):
        area = width * height * rng.uniform(*CROP_SCALE)
        ratio = math.exp(rng.uniform(*np.log(CROP_RATIO)))
        crop_width, crop_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            left = int(rng.integers(width - crop_width + 1))
            top = int(rng.integers(height - crop_height + 1))
            return left, top, left + crop_width, top + crop_height
    narrowest, widest = CROP_RATIO
    crop_width, crop_height = min(width, round(height * widest)), min(height, round(width / narrowest))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def jitter_colours(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast and saturation, each by a random factor, in a random order."""
    for name, factor in draw_jitter(rng):
        image = ENHANCERS[name](image).enhance(factor)
    return image


def draw_jitter(rng: np.random.Generator) -> list[tuple[str, float]]:
    """Draw what `jitter_colours` changes, in its order: names of ENHANCERS and factors of 1 ± JITTER."""
    names = tuple(ENHANCERS)
    factors = rng.uniform(1 - JITTER, 1 + JITTER, len(names))
    return [(names[i], float(factors[i])) for i in rng.permutation(len(names))]


def lighting(rng: np.random.Generator) -> Tensor:
    """Draw a colour along the principal components, to be added to an image on the scale 0 to 1: float32 (3, 1, 1)."""
    weights = rng.normal(0, LIGHTING_STD, 3) * RGB_EIGENVALUES
    return torch.from_numpy(RGB_EIGENVECTORS @ weights).float().view(3, 1, 1)


def _to_tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image))
    return pixels.permute(2, 0, 1).contiguous().float().div_(255)


def _normalised(image: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return image.sub_(mean).div_(std)
