"""The paper's transforms, held against torchvision's and against their definitions."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.functional import to_tensor
from torchvision.transforms.v2 import functional as F

from margin_bench.config.build import build
from margin_bench.config.sources import configs_dir
from margin_bench.config.yaml_files import read_yaml
from margin_bench.data import transforms
from margin_bench.data.loading import IMAGENET_MEAN, IMAGENET_STD
from margin_bench.data.transforms import Paper

SIZES = [(64, 48), (48, 64), (50, 50), (301, 200), (20, 33), (7, 3), (1, 1), (200, 9)]


def photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def tensor_by_torchvision(image: Image.Image) -> torch.Tensor:
    tensor: torch.Tensor = F.normalize(to_tensor(image), list(IMAGENET_MEAN), list(IMAGENET_STD))
    return tensor


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("image_size", [28, 32])
def test_the_test_transform_is_torchvisions(size: tuple[int, int], image_size: int) -> None:
    image = photo(*size)
    theirs = v2.Compose([v2.Resize(round(image_size * 256 / 224)), v2.CenterCrop(image_size)])
    assert torch.equal(Paper(image_size)(image, None), tensor_by_torchvision(theirs(image)))


def test_the_paper_resizes_to_256_and_cuts_224() -> None:
    image = photo(300, 260)
    theirs = v2.Compose([v2.Resize(256), v2.CenterCrop(224)])
    assert torch.equal(Paper(224)(image, None), tensor_by_torchvision(theirs(image)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_the_training_transform_is_torchvisions_with_the_same_draws(size: tuple[int, int], seed: int) -> None:
    image = photo(*size)
    ours = Paper(32)(image, np.random.default_rng(seed))

    rng = np.random.default_rng(seed)
    left, top, right, bottom = transforms.draw_crop(*size, rng)
    theirs = F.resized_crop(image, top, left, bottom - top, right - left, [32, 32])
    if rng.random() < 0.5:
        theirs = F.horizontal_flip(theirs)
    factors = rng.uniform(0.6, 1.4, 3)
    adjustments = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)
    for i in rng.permutation(3):
        theirs = adjustments[i](theirs, factors[i])
    shift = transforms.lighting(rng) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    torch.testing.assert_close(ours, tensor_by_torchvision(theirs) + shift, rtol=0, atol=2e-6)


def test_the_config_builds_the_papers_transform() -> None:
    transform = build(read_yaml(configs_dir() / "transforms" / "paper.yaml"))
    assert transform(photo(300, 260), None).shape == (3, 224, 224)


def test_a_generator_in_the_same_state_gives_the_same_bits() -> None:
    first, again, other = (Paper(16)(photo(40, 30), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_global_generator_is_used() -> None:
    torch_before, numpy_before = torch.random.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    Paper(16)(photo(40, 30), np.random.default_rng(0))
    assert torch.equal(torch.random.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_before)


def test_an_array_is_transformed_as_the_image_it_holds() -> None:
    image = photo(40, 30)
    assert torch.equal(Paper(16)(np.asarray(image), None), Paper(16)(image, None))


def test_the_given_image_stays_as_it_is() -> None:
    pixels = np.asarray(photo(40, 30)).copy()
    before = pixels.copy()
    Paper(16)(pixels, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels, before)


def test_drawn_crops_are_inside_and_cover_the_allowed_areas_and_shapes() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([transforms.draw_crop(400, 300, rng) for _ in range(4000)])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= 400).all()
    assert (bottom <= 300).all()
    width, height = right - left, bottom - top
    area, ratio = width * height / (400 * 300), width / height
    assert 0.079 < area.min() < 0.09
    assert 0.95 < area.max() <= 1.001
    assert 0.74 < ratio.min() < 0.76
    assert 1.32 < ratio.max() < 1.35
    assert left.min() == top.min() == 0
    assert right.max() == 400
    assert bottom.max() == 300


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(3000, 10, (1493, 0, 1506, 10)), (10, 3000, (0, 1493, 10, 1506))],
    ids=["far too wide", "far too tall"],
)
def test_the_central_crop_stands_in_where_no_drawn_one_fits(
    width: int, height: int, box: tuple[int, int, int, int]
) -> None:
    """10 x 4/3 = 13 pixels long, in the middle: (3000 - 13) // 2 = 1493."""
    assert transforms.draw_crop(width, height, np.random.default_rng(0)) == box


def test_the_distribution_of_crops_is_torchvisions() -> None:
    """Means of 6000 draws: a standard error of the area is 0.003, of the logarithm of the ratio 0.002."""
    image = photo(90, 60)
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    ours, theirs = [], []
    for _ in range(6000):
        left, top, right, bottom = transforms.draw_crop(90, 60, rng)
        ours.append((right - left, bottom - top, left, top))
        params = v2.RandomResizedCrop(32).make_params([image])
        theirs.append((params["width"], params["height"], params["left"], params["top"]))

    def moments(draws: list[tuple[int, int, int, int]]) -> list[float]:
        width, height, left, top = np.array(draws, np.float64).T
        return [(width * height / 5400).mean(), np.log(width / height).mean(), (left / 90).mean(), (top / 60).mean()]

    np.testing.assert_allclose(moments(ours), moments(theirs), rtol=0, atol=0.015)


def test_lighting_has_the_spread_of_the_principal_components() -> None:
    """The covariance of the added colours is 0.1² V diag(λ²) Vᵀ."""
    rng = np.random.default_rng(0)
    colours = np.stack([transforms.lighting(rng).flatten().numpy() for _ in range(20000)])
    vectors = np.array(transforms.RGB_EIGENVECTORS)
    expected = 0.1**2 * vectors @ np.diag(np.square(transforms.RGB_EIGENVALUES)) @ vectors.T
    np.testing.assert_allclose(np.cov(colours.T), expected, rtol=0, atol=0.05 * expected.max())
