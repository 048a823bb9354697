"""Transform images as the paper does in two thirds of the time, with the same random numbers.

Pixels are the same but for rounding. A JPEG file is decoded by libjpeg-turbo, to the very pixels that Pillow gives.
Crop and resize work on bytes; the result differs from Pillow's by 0.02 grey levels in the mean and by 1 at most.
Brightness, contrast and saturation follow Pillow's own steps. Lighting is rounded to bytes and clipped to them, since
images stay bytes, which the training step normalises.
"""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from margin_bench.data.images import box_in_pixels, read_image
from margin_bench.data.transforms import draw_crop, draw_jitter, lighting, test_side, test_size
from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import cache_dir, read_regular, write_atomic

LUMA = torch.tensor([19595, 38470, 7471]) / 65536  # of red, green and blue, as Pillow has it
CACHE_QUALITY = 90  # of the JPEG files in the cache
LONGEST_JPEG = 65_500  # pixels on a side that libjpeg writes


class Fast:
    """Crop at random, flip, and change colours and lighting for training; take the centre for the test.

    Args:
        image_size: height and width of the result in pixels.
        cache_side: keep a copy of each image with this short side in pixels, and read that from then on. It is not what
            the paper does: crops come from a smaller image. None: no copies.

    Raises:
        ValueError: `cache_side` is smaller than the short side that a test crop is cut from.
    """

    def __init__(self, image_size: int, cache_side: int | None) -> None:
        smallest = test_side(image_size)
        if cache_side is not None and (not isinstance(cache_side, int) or cache_side < smallest):
            raise ValueError(f"cache_side={cache_side}: expected {smallest} or more pixels for image_size={image_size}")
        self.image_size = image_size
        self.cache_side = cache_side

    def read(self, path: Path, box: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        """Read an image file as `data.images.read_image` does, with the same errors.

        Args:
            path: the file.
            box: left, top, right, bottom in pixels: the part to read. None: all of it.

        Returns:
            uint8 (H, W, 3), RGB.

        Raises:
            DataError: the file cannot be read, the box does not touch the image, or the copy cannot be written.
        """
        return _decoded(path, box) if self.cache_side is None else _cached(path, box, self.cache_side)

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
        """Transform one image.

        Args:
            image: uint8 (H, W, 3), RGB, of any size.
            rng: source of the augmentation; None: the test transform.

        Returns:
            uint8 (3, image_size, image_size), to be normalised.
        """
        if rng is None:
            return _test_crop(image, self.image_size)
        left, top, right, bottom = draw_crop(image.shape[1], image.shape[0], rng)
        crop = resized(image[top:bottom, left:right], self.image_size, self.image_size)
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        return _recoloured(crop, rng)


def _decoded(path: Path, box: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    try:
        image = _decoded_jpeg(read_regular(path))
    except (OSError, ValueError):  # Pillow reads it, or says what is wrong with it
        return np.array(read_image(path, box))
    if box is None:
        return image
    left, top, right, bottom = box_in_pixels(box, (image.shape[1], image.shape[0]), path)
    return image[top:bottom, left:right]


def _decoded_jpeg(content: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG file; ValueError if it is none, broken, of other colours than RGB and grey, or too large."""
    height, width, *_ = simplejpeg.decode_jpeg_header(content)
    if Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS:
        raise ValueError
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(content)
    return image


def _cached(path: Path, box: NDArray[np.float32] | None, side: int) -> NDArray[np.uint8]:
    """Read the copy of an image, which is made if there is none of this version of the file, or a torn one.

    An image that is too long for a JPEG file even when it is made smaller has no copy.
    """
    copy = _copy_of(path, box, side)
    try:
        return _decoded_jpeg(read_regular(copy))
    except (OSError, ValueError):
        image = Image.fromarray(_decoded(path, box))
    scale = side / min(image.size)
    if scale < 1:
        image = image.resize((round(scale * image.width), round(scale * image.height)), Image.Resampling.BILINEAR)
    if max(image.size) > LONGEST_JPEG:
        return np.array(image)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=CACHE_QUALITY)
    try:
        write_atomic(copy, buffer.getvalue())
    except CheckpointError as error:
        raise DataError(
            f"{str(error).splitlines()[0]}\nIt is a smaller copy of {path}: free some space, give another folder\n"
            "by MARGIN_BENCH_DATA, or read the images themselves by transforms.cache_side=null."
        ) from None
    return _decoded_jpeg(buffer.getvalue())


def _copy_of(path: Path, box: NDArray[np.float32] | None, side: int) -> Path:
    """Name the copy of this version of a file, or of the part of it in a box."""
    try:
        status = path.stat()
        version = (status.st_size, status.st_mtime_ns)
    except OSError:
        version = (0, 0)  # the reader says what is wrong
    made_from = (os.fspath(path.absolute()), version, None if box is None else box.tolist(), CACHE_QUALITY)
    name = hashlib.sha256(repr(made_from).encode()).hexdigest()
    return cache_dir() / f"images-{side}" / name[:2] / f"{name}.jpg"


def resized(image: NDArray[np.uint8], height: int, width: int) -> Tensor:
    """Resize an image, smoothed where it shrinks, as Pillow does.

    Args:
        image: uint8 (H, W, 3).
        height: of the result, in pixels.
        width: of the result, in pixels.

    Returns:
        uint8 (3, height, width).
    """
    batch = torch.from_numpy(image.copy())[None].permute(0, 3, 1, 2)  # so that torch sees that it is channels-last
    return F.interpolate(batch, (height, width), mode="bilinear", antialias=True)[0]


def _test_crop(image: NDArray[np.uint8], size: int) -> Tensor:
    width, height = test_size(image.shape[1], image.shape[0], size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return resized(image, height, width)[:, top : top + size, left : left + size].contiguous()


def _recoloured(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation in a random order, then lighting: uint8 (3, H, W) to uint8."""
    colours = image.to(torch.float32, memory_format=torch.contiguous_format)
    for name, factor in draw_jitter(rng):
        change_colours(colours, name, factor)
    changed = colours.add_(255 * lighting(rng)).round_().clamp_(0, 255)
    return torch.from_numpy(changed.numpy().astype(np.uint8))


def change_colours(colours: Tensor, name: str, factor: float) -> None:
    """Change brightness, contrast or saturation in place, as Pillow does: from whole numbers to whole numbers.

    Args:
        colours: float32 (3, H, W) of 0 to 255.
        name: `brightness`, `contrast` or `saturation`.
        factor: 1 changes nothing, 0 gives black, one grey, or grey levels.
    """
    if name == "brightness":
        colours.mul_(factor)
    else:
        grey = (LUMA @ colours.flatten(1)).round_()
        grey = grey.view(colours.shape[1:]) if name == "saturation" else grey.mean().round_()
        colours.lerp_(grey, 1 - factor)
    colours.clamp_(0, 255).floor_()
