"""Image files of every kind, sound and broken."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from margin_bench.data.images import read_image
from margin_bench.errors import DataError

RED = (255, 0, 0)


@pytest.fixture
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))


def assert_refused(path: Path, cause: str) -> None:
    with pytest.raises(DataError, match=cause) as refused:
        read_image(path)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_lossless_file_gives_its_pixels(tmp_path: Path, photo: Image.Image) -> None:
    photo.save(tmp_path / "photo.png")
    image = read_image(tmp_path / "photo.png")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(image, photo)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: Path, photo: Image.Image, mode: str) -> None:
    photo.convert(mode).save(tmp_path / "photo.tiff" if mode in ("CMYK", "YCbCr") else tmp_path / "photo.png")
    (file,) = tmp_path.iterdir()
    image = read_image(file)
    assert (image.mode, image.size) == ("RGB", (30, 20))


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), RED).convert("CMYK").save(tmp_path / "red.jpg", quality=100)
    np.testing.assert_allclose(np.asarray(read_image(tmp_path / "red.jpg"), np.int16)[8, 8], RED, atol=3)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (*RED, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").getpixel((0, 0)) == RED


def test_a_transparent_palette_does_not_warn(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, *RED])
    palette.save(tmp_path / "palette.png", transparency=b"\x00\x80")
    assert read_image(tmp_path / "palette.png").getpixel((0, 0)) == RED


def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 256, 32768, 65535]], np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "deep.png"))[0, :, 0], [0, 0, 1, 128, 255])


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, "blue", "green")]
    frames[0].save(tmp_path / "frames.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "frames.gif").getpixel((0, 0)) == RED


def test_the_exif_orientation_is_ignored(tmp_path: Path, photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    photo.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), photo)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.jpg", "no such file")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert_refused(tmp_path / "empty.jpg", "empty")


def test_a_web_page_in_place_of_an_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html><body>404 Not Found</body></html>", encoding="utf-8")
    assert_refused(tmp_path / "page.jpg", "no image in a format")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tiff"])
def test_a_truncated_file_is_named(tmp_path: Path, photo: Image.Image, suffix: str) -> None:
    file = tmp_path / f"photo.{suffix}"
    photo.save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
    assert_refused(file, "Cannot read the image")


def test_32_bit_pixels_are_refused_since_their_range_is_unknown(tmp_path: Path) -> None:
    Image.new("F", (4, 4)).save(tmp_path / "depth.tiff")
    assert_refused(tmp_path / "depth.tiff", "expected 8 or 16 bits")


@pytest.mark.parametrize("factor", [1.5, 3])  # Pillow warns above its limit and raises above twice the limit
def test_a_huge_image_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Image.Image, factor: float
) -> None:
    photo.save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(600 / factor))
    assert_refused(tmp_path / "huge.png", f"larger than {int(600 / factor)} pixels")


def test_a_huge_image_is_refused_even_where_warnings_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Image.Image
) -> None:
    photo.save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_refused(tmp_path / "huge.png", "larger than 400 pixels")


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((10, 5, 20, 15), (10, 5, 20, 15)),
        ((10.6, 5.9, 19.1, 14.5), (10, 5, 20, 15)),
        ((-8, -3, 12, 99), (0, 0, 12, 20)),
        ((29.2, 19.3, 29.4, 19.5), (29, 19, 30, 20)),
    ],
    ids=["whole pixels", "parts of pixels", "beyond the image", "smaller than a pixel"],
)
def test_a_box_cuts_the_pixels_it_touches(
    tmp_path: Path, photo: Image.Image, box: tuple[float, ...], cut: tuple[int, int, int, int]
) -> None:
    photo.save(tmp_path / "photo.png")
    image = read_image(tmp_path / "photo.png", np.array(box, np.float32))
    np.testing.assert_array_equal(image, photo.crop(cut))


@pytest.mark.parametrize(
    "box",
    [(40, 0, 50, 10), (0, -9, 10, -1), (20, 5, 10, 15), (5, 5, 5, 9), (0, 0, float("nan"), 9), (float("nan"),) * 4],
    ids=["right of it", "above it", "turned", "no width", "a NaN", "all NaN"],
)
def test_a_box_without_pixels_is_refused(tmp_path: Path, photo: Image.Image, box: tuple[float, ...]) -> None:
    photo.save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="must touch the image of 30 x 20 pixels"):
        read_image(tmp_path / "photo.png", np.array(box, np.float32))
