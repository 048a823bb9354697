"""Read image files as they are found in the wild."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from margin_bench.errors import DataError

# What images are trained on; others are not opened, since for some of them (EPS, say) Pillow starts other programs.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def read_image(path: Path, box: NDArray[np.float32] | None = None) -> Image.Image:
    """Read the first frame of an image file in mode RGB.

    Alpha is dropped and the EXIF orientation ignored, as in the paper's experiments. 16-bit grey is scaled to 8 bits.

    Args:
        path: the file, in one of the FORMATS.
        box: float32 (4,), left, top, right, bottom in pixels: keep every pixel of the image that the box touches.
            None: keep all.

    Raises:
        DataError: the file is missing, broken or too large, or the box does not touch the image.
    """
    if not path.is_file():  # a pipe would be waited for
        raise DataError(f"Cannot read the image {str(path)!r}: {_not_a_file(path)}.\nReplace the file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # broken metadata, which we do not use
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                image = _to_rgb(file)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{path} is larger than {Image.MAX_IMAGE_PIXELS:,} pixels.\n"
            "So many pixels in one file are mostly an attack or a mistake: scale the image down."
        ) from None
    except Exception as error:  # what Pillow raises depends on the format and on the broken byte
        raise DataError(f"Cannot read the image {str(path)!r}: {_cause(path, error)}.\nReplace the file.") from None
    return image if box is None else image.crop(box_in_pixels(box, image.size, path))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow clips grey at 255, and reads 16-bit colour as the higher byte of each value; so do we read grey.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"expected 8 or 16 bits per channel, found 32 (mode {image.mode})")
    return image.convert("RGB")


def _not_a_file(path: Path) -> str:
    return "it is no regular file" if path.exists() else "no such file"


def _cause(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"it is no image in a format that is read: {', '.join(FORMATS)}"
    return str(error) or type(error).__name__


def box_in_pixels(box: NDArray[np.float32], size: tuple[int, int], path: Path) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom around all pixels of an image that a box touches.

    Args:
        box: float32 (4,), left, top, right, bottom in pixels.
        size: width and height of the image in pixels.
        path: of the image, for the message.

    Raises:
        DataError: the box does not touch the image, or holds a NaN.
    """
    left, top = np.maximum(np.floor(box[:2]), 0)
    right, bottom = np.minimum(np.ceil(box[2:]), size)
    if not (left < right and top < bottom):  # true of NaN too
        raise DataError(
            f"The box of {path} must touch the image of {size[0]} x {size[1]} pixels,\n"
            f"got left, top, right, bottom = {', '.join(f'{side:g}' for side in box)}. Correct the annotation."
        )
    return int(left), int(top), int(right), int(bottom)
