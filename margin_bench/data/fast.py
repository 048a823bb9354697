"""The paper's transforms at about twice the speed: the same random numbers, and pixels that differ little.

A JPEG file is decoded by libjpeg-turbo; crop and resize work on bytes; brightness, contrast, saturation and lighting
are one affine map of the colours, rounded once. The geometry differs from `transforms.Paper` by rounding; the colours
also where that one clips between its steps. Images stay bytes, which the training step normalises.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from margin_bench.data.annotations import cache_dir
from margin_bench.data.images import box_in_pixels, read_image
from margin_bench.data.transforms import draw_crop, draw_jitter, lighting, test_size
from margin_bench.files import write_atomic

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of grey in red, green and blue (ITU-R BT.601)
CUT_OFF = 0.5  # grey levels that Pillow loses on average in each change of the colours, as it cuts the result off
CACHE_QUALITY = 90  # of the JPEG files in the cache


class Fast:
    """Random resized crop, flip, colour jitter and lighting for training; short side and central crop for the test.

    Args:
        image_size: height and width of the result in pixels.
        cache_side: keep a copy of each image with this short side in pixels, and read that from then on. It is not what
            the paper does: crops come from a smaller image. None: no copies.
    """

    def __init__(self, image_size: int, cache_side: int | None) -> None:
        self.image_size = image_size
        self.cache_side = cache_side

    def read(self, path: Path, box: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        """Reads an image file as `data.images.read_image` does, with the same errors: uint8 (H, W, 3), RGB."""
        return _decoded(path, box) if self.cache_side is None else _cached(path, box, self.cache_side)

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
        """Transforms one image.

        Args:
            image: uint8 (H, W, 3), RGB, of any size.
            rng: source of the augmentation; None: the test transform.

        Returns:
            uint8 (3, image_size, image_size), to be normalised.
        """
        if rng is None:
            return _test_crop(image, self.image_size)
        left, top, right, bottom = draw_crop(image.shape[1], image.shape[0], rng)
        crop = _resized(image[top:bottom, left:right], self.image_size, self.image_size)
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        return _recoloured(crop, rng)


def _decoded(path: Path, box: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    try:
        image = _decoded_jpeg(path.read_bytes())
    except (OSError, ValueError):  # the other reader reads it, or knows what to say of it
        return np.array(read_image(path, box))
    if box is None:
        return image
    left, top, right, bottom = box_in_pixels(box, (image.shape[1], image.shape[0]), path)
    return image[top:bottom, left:right]


def _decoded_jpeg(content: bytes) -> NDArray[np.uint8]:
    """Raises ValueError for what is no JPEG file, a broken one, one of other colours, or too large."""
    height, width, *_ = simplejpeg.decode_jpeg_header(content)
    if Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS:
        raise ValueError
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(content)
    return image


def _cached(path: Path, box: NDArray[np.float32] | None, side: int) -> NDArray[np.uint8]:
    """The copy of an image, which is made if there is none of this version of the file, or if it is torn."""
    copy = _copy_of(path, box, side)
    try:
        return _decoded_jpeg(copy.read_bytes())
    except (OSError, ValueError):
        image = Image.fromarray(_decoded(path, box))
    scale = side / min(image.size)
    if scale < 1:
        image = image.resize((round(scale * image.width), round(scale * image.height)), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=CACHE_QUALITY)
    write_atomic(copy, buffer.getvalue())
    return _decoded_jpeg(buffer.getvalue())


def _copy_of(path: Path, box: NDArray[np.float32] | None, side: int) -> Path:
    """Where the copy of this version of a file is, or of the part in a box."""
    try:
        status = path.stat()
        version = (status.st_size, status.st_mtime_ns)
    except OSError:
        version = (0, 0)  # the reader says what is wrong
    name = hashlib.sha256(repr((str(path), version, None if box is None else box.tolist())).encode()).hexdigest()
    return cache_dir() / f"images-{side}" / name[:2] / f"{name}.jpg"


def _resized(image: NDArray[np.uint8], height: int, width: int) -> Tensor:
    """uint8 (H, W, 3) to uint8 (3, height, width), smoothed where it shrinks, as Pillow does."""
    planes = torch.from_numpy(image.copy()).permute(2, 0, 1).unsqueeze(0)
    return F.interpolate(planes, (height, width), mode="bilinear", antialias=True)[0]


def _test_crop(image: NDArray[np.uint8], size: int) -> Tensor:
    width, height = test_size(image.shape[1], image.shape[0], size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return _resized(image, height, width)[:, top : top + size, left : left + size].contiguous()


def _recoloured(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and saturation in a random order, then lighting: uint8 (3, H, W) to uint8."""
    colours = image.flatten(1).float()
    matrix, offset = _jitter_map(colours.mean(1).numpy(), rng)
    offset += 255 * lighting(rng).numpy().reshape(3, 1) + 0.5  # the bytes of the result are cut off, not rounded
    changed = torch.addmm(torch.from_numpy(offset), torch.from_numpy(matrix), colours)
    # numpy's conversion to bytes takes a quarter of the time of torch's.
    return torch.from_numpy(changed.clamp_(0, 255).numpy().astype(np.uint8)).view(image.shape)


def _jitter_map(mean: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrix (3, 3) and offset (3, 1) of the colours; `mean` (3,) is the image's, on the scale of its bytes."""
    matrix, offset = np.eye(3, dtype=np.float32), np.zeros((3, 1), np.float32)
    for name, factor in draw_jitter(rng):
        grey = LUMA @ matrix, LUMA @ offset  # of a colour: factors (3,) and offset (1,)
        matrix *= factor
        offset *= factor
        if name == "saturation":
            matrix += (1 - factor) * grey[0]
            offset += (1 - factor) * grey[1]
        elif name == "contrast":
            offset += (1 - factor) * (grey[0] @ mean + grey[1])
        offset -= CUT_OFF
    return matrix, offset
