"""The fast transforms beside the paper's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from margin_bench.config.build import build
from margin_bench.data import fast, transforms
from margin_bench.data.fast import Fast
from margin_bench.data.images import read_image
from margin_bench.data.loading import normalise
from margin_bench.data.transforms import Paper
from margin_bench.errors import ConfigError, DataError
from tests.helpers import made

SIZES = [(640, 480), (200, 301), (64, 64), (33, 20)]
SUBSAMPLING = {"4:4:4": 0, "4:2:0": 2}


def photo(width: int, height: int) -> Image.Image:
    """Something smooth, as photographs are."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)).point(lambda value: 3 * value - 256)


def grey_levels(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes that normalised images are made from."""
    zero, one = (normalise(torch.full((3, 1, 1), value, dtype=torch.uint8)) for value in (0, 255))
    return 255 * (tensor - zero) / (one - zero)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("subsampling", list(SUBSAMPLING))
def test_a_jpeg_file_is_decoded_as_pillow_does(tmp_path, size, subsampling):
    photo(*size).save(tmp_path / "photo.jpg", subsampling=SUBSAMPLING[subsampling])
    ours = Fast(32, None).read(tmp_path / "photo.jpg", None)
    theirs = np.asarray(read_image(tmp_path / "photo.jpg"))
    assert np.abs(ours.astype(int) - theirs).mean() < 0.1


@pytest.mark.parametrize("size", SIZES)
def test_the_test_transform_differs_by_rounding(size):
    image = np.array(photo(*size))
    ours = Fast(56, None)(image, None)
    theirs = grey_levels(Paper(56)(image, None))
    assert (ours.dtype, ours.shape) == (torch.uint8, (3, 56, 56))
    assert (ours - theirs).abs().max() <= 1.5
    assert (ours - theirs).abs().mean() < 0.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_the_training_transform_crops_as_the_papers_does(size, seed):
    width, height = size
    image = photo(width, height)
    left, top, right, bottom = transforms.draw_crop(width, height, np.random.default_rng(seed))
    ours = fast.resized(np.array(image)[top:bottom, left:right], 56, 56)
    theirs = transforms.train_crop(image, 56, np.random.default_rng(seed))
    difference = np.abs(ours.permute(1, 2, 0).numpy().astype(int) - np.array(theirs))
    assert difference.max() <= 1
    assert difference.mean() < 0.1


@pytest.mark.parametrize("seed", range(8))
def test_colours_change_as_pillow_changes_them(seed):
    """Also where they are clipped; the order of a sum may round one pixel in a million to the other side."""
    image = photo(320, 200).point(lambda value: 2 * value - 128)
    ours = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float()
    for name, factor in transforms.draw_jitter(np.random.default_rng(seed)):
        fast.change_colours(ours, name, factor)
    theirs = np.array(transforms.jitter_colours(image, np.random.default_rng(seed))).transpose(2, 0, 1)
    difference = np.abs(ours.numpy() - theirs)
    assert difference.max() <= 1
    assert difference.sum() <= 10


@pytest.mark.parametrize("seed", range(8))
def test_the_whole_training_transform_differs_by_rounding_and_where_lighting_is_clipped(seed):
    """A level of the resizing may grow by 1.4 and one level of rounding in each of three changes, to 7.1 levels."""
    image = np.array(photo(80, 60))
    ours = Fast(56, None)(image, np.random.default_rng(seed)).float()
    theirs = grey_levels(Paper(56)(image, np.random.default_rng(seed)))
    difference = (ours - theirs.clamp(0, 255)).abs()
    assert difference.max() <= 7.1 + 0.5
    assert difference.mean() < 0.5


def test_the_same_generator_gives_the_same_bits_and_both_use_up_the_same_numbers():
    image = np.array(photo(80, 60))
    generators = [np.random.default_rng(3) for _ in range(3)]
    first, again = (Fast(24, None)(image, rng) for rng in generators[:2])
    Paper(24)(image, generators[2])
    assert torch.equal(first, again)
    assert generators[0].random() == generators[2].random()


def test_a_box_cuts_the_image(tmp_path):
    photo(40, 30).save(tmp_path / "photo.jpg")
    box = np.array([3.5, 2, 20, 25.5], np.float32)
    ours = Fast(32, None).read(tmp_path / "photo.jpg", box)
    np.testing.assert_allclose(ours, np.asarray(read_image(tmp_path / "photo.jpg", box)), atol=4)
    with pytest.raises(DataError, match="must touch the image"):
        Fast(32, None).read(tmp_path / "photo.jpg", box + 100)


@pytest.mark.parametrize("name", ["cmyk", "alpha", "16 bits"])
@pytest.mark.parametrize("cache_side", [None, 37])
def test_odd_images_are_read_as_by_the_other_reader(tmp_path, monkeypatch, name, cache_side):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    path = tmp_path / "odd.jpg"
    path.write_bytes(made.IMAGE_NOTES[name][0](b""))
    ours = Fast(32, cache_side).read(path, None)
    if cache_side is None:
        np.testing.assert_array_equal(ours, np.asarray(read_image(path)))
    assert ours.dtype == np.uint8
    assert ours.shape[2] == 3


def test_an_image_too_long_for_a_copy_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    Image.new("RGB", (65_501, 2)).save(tmp_path / "long.png")
    assert Fast(32, 37).read(tmp_path / "long.png", None).shape == (2, 65_501, 3)
    assert not (tmp_path / "cache").exists()


def test_grey_becomes_colour(tmp_path):
    (tmp_path / "grey.jpg").write_bytes(made.encoded("L", "JPEG"))
    assert Fast(32, None).read(tmp_path / "grey.jpg", None).shape == (made.SIDE, made.SIDE, 3)


@pytest.mark.parametrize("name", ["missing", "empty", "web page", "truncated", "bomb"])
@pytest.mark.parametrize("cache_side", [None, 37])
def test_a_broken_image_has_the_same_error(tmp_path, monkeypatch, name, cache_side):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    path = tmp_path / "broken.jpg"
    content = made.IMAGE_FAULTS[name][0](made.jpeg(0))
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as theirs:
        read_image(path)
    with pytest.raises(DataError) as ours:
        Fast(32, cache_side).read(path, None)
    assert str(ours.value) == str(theirs.value)


def test_a_large_jpeg_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "large.jpg").write_bytes(made.jpeg(0))
    with pytest.raises(DataError, match="larger than 100 pixels"):
        Fast(32, None).read(tmp_path / "large.jpg", None)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A file, and what reads it with a cache."""
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    path = tmp_path / "photo.jpg"
    photo(80, 60).save(path)
    return path, Fast(24, 30).read


def copies(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("cache/images-30/*/*.jpg"))


def test_a_copy_is_made_once_and_read_from_then_on(tmp_path, cached, monkeypatch):
    path, read = cached
    first = read(path, None)
    assert first.shape == (30, 40, 3)
    monkeypatch.setattr(fast, "_decoded", None)
    np.testing.assert_array_equal(read(path, None), first)
    assert len(copies(tmp_path)) == 1


def test_another_version_of_the_file_and_another_box_have_their_own_copies(tmp_path, cached):
    path, read = cached
    whole = read(path, None)
    part = read(path, np.array([0, 0, 40, 40], np.float32))
    assert part.shape == (30, 30, 3)
    path.write_bytes(made.jpeg(1))
    assert read(path, None).shape == (made.SIDE, made.SIDE, 3) != whole.shape
    assert len(copies(tmp_path)) == 3


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_torn_copy_is_made_again(tmp_path, cached, share):
    path, read = cached
    first = read(path, None)
    (copy,) = copies(tmp_path)
    copy.write_bytes(copy.read_bytes()[: int(share * copy.stat().st_size)])
    np.testing.assert_array_equal(read(path, None), first)
    np.testing.assert_array_equal(read(path, None), first)


def test_a_copy_that_cannot_be_written_is_an_error_of_the_data(tmp_path, cached, monkeypatch):
    path, read = cached
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="MARGIN_BENCH_DATA") as refused:
        read(path, None)
    assert len(str(refused.value).splitlines()) <= 3


@pytest.mark.parametrize("side", [31, "none", True, 40.5])
def test_copies_smaller_than_the_test_needs_are_refused(side):
    """28 pixels are cut from an image of 28 * 256 / 224 = 32."""
    config = {"_target_": "margin_bench.data.fast.Fast", "image_size": 28}
    assert build(config, cache_side=32)
    with pytest.raises(ConfigError, match="expected 32 or more pixels"):
        build(config, cache_side=side)


def test_the_config_builds_the_transform():
    config = {"_target_": "margin_bench.data.fast.Fast", "image_size": 24, "cache_side": None}
    assert build(config)(np.array(photo(40, 30)), None).shape == (3, 24, 24)
