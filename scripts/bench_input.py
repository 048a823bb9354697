"""Time image pipelines for training on real JPEG files, one process, one thread, from the file to the batch.

    taskset -c 3 env OMP_NUM_THREADS=1 python scripts/bench_input.py FOLDER       # JPEG files; sub-folders count

Pipelines take turns batch by batch. A time is that of the processor, which other work on the machine disturbs less
than that of the clock; a ratio is the median over batches of the ratio to the first pipeline on the same batch.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.loader import fast_collate
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import transforms as v1
from torchvision.transforms import v2

from margin_bench.data.fast import Fast, resized
from margin_bench.data.images import read_image
from margin_bench.data.loading import IMAGENET_MEAN, IMAGENET_STD, sample_rng
from margin_bench.data.transforms import Paper, draw_crop, lighting, test_side, train_crop

SIZE, BATCH = 224, 32
TEST_SIDE = test_side(SIZE)

Batch = Callable[[list[tuple[int, Path]]], Any]  # numbered files to a batch


class Pipeline(NamedTuple):
    """Hold how a library makes a training batch, and a test image."""

    train: Batch
    test: Callable[[Path], Tensor]  # a file to the image that is scored, on the scale 0 to 255


def ours(transform: Any) -> Pipeline:
    """Make a pipeline of one of our transforms."""
    read = getattr(transform, "read", read_image)

    def batch(files: list[tuple[int, Path]]) -> Tensor:
        images: Tensor = default_collate(
            [transform(read(path, None), sample_rng(0, 0, number)) for number, path in files]
        )
        return images

    return Pipeline(batch, lambda path: grey_levels(transform(read(path, None), None)))


def with_torchvision() -> Pipeline:
    """Make the paper's transforms of torchvision's own classes, on Pillow images."""
    train = v1.Compose(
        [
            v1.RandomResizedCrop(SIZE),
            v1.RandomHorizontalFlip(),
            v1.ColorJitter(0.4, 0.4, 0.4),
            v1.ToTensor(),
            v1.Lambda(lambda image: image + lighting(np.random.default_rng())),
            v1.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    test = v1.Compose([v1.Resize(TEST_SIDE), v1.CenterCrop(SIZE), v1.PILToTensor()])
    return Pipeline(
        lambda files: default_collate([train(rgb(path)) for _, path in files]), lambda path: test(rgb(path))
    )


def with_torchvision_v2() -> Pipeline:
    """Make the same of torchvision's second version, on bytes, without lighting, which needs floats."""
    train = v2.Compose(
        [
            v2.PILToTensor(),
            v2.RandomResizedCrop(SIZE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.4, 0.4, 0.4),
        ]
    )
    test = v2.Compose([v2.PILToTensor(), v2.Resize(TEST_SIDE, antialias=True), v2.CenterCrop(SIZE)])
    return Pipeline(
        lambda files: default_collate([train(rgb(path)) for _, path in files]), lambda path: test(rgb(path))
    )


def with_timm() -> Pipeline:
    """Make the same of timm's training transform and collation, to bytes, without lighting, which it does not have."""
    options: dict[str, Any] = {"interpolation": "bilinear", "use_prefetcher": True}
    train = create_transform(SIZE, is_training=True, color_jitter=0.4, **options)
    test = create_transform(SIZE, crop_pct=SIZE / TEST_SIDE, **options)
    return Pipeline(
        lambda files: fast_collate([(train(rgb(path)), 0) for _, path in files]),
        lambda path: torch.as_tensor(test(rgb(path))),
    )


def rgb(path: Path) -> Image.Image:
    """Read an image as Pillow does."""
    return Image.open(path).convert("RGB")


def grey_levels(image: Tensor) -> Tensor:
    """Return what a transform of ours gives, on the scale 0 to 255."""
    if image.dtype == torch.uint8:
        return image
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return 255 * (image * std + mean)


def seconds_per_image(
    pipelines: dict[str, Pipeline], files: list[Path], repeats: int
) -> dict[str, NDArray[np.float64]]:
    """Time each pipeline: seconds for an image, (repeats, batches)."""
    numbered = list(enumerate(files))
    batches = [numbered[start : start + BATCH] for start in range(0, len(files) - BATCH + 1, BATCH)]
    times = {name: np.zeros((repeats, len(batches))) for name in pipelines}
    for repeat, (index, batch) in itertools.product(range(repeats), enumerate(batches)):
        for name, pipeline in pipelines.items():
            start = time.process_time()
            pipeline.train(batch)
            times[name][repeat, index] = (time.process_time() - start) / BATCH
    return times


def train_differences(files: list[Path]) -> tuple[float, float]:
    """Return how far the fast crops, and the whole fast transform, differ from the paper's, in grey levels."""
    fast, paper = Fast(SIZE, None), Paper(SIZE)
    crops, wholes = [], []
    for number, path in enumerate(files):
        image, pixels = read_image(path), fast.read(path, None)
        left, top, right, bottom = draw_crop(image.width, image.height, sample_rng(0, 0, number))
        ours = resized(pixels[top:bottom, left:right], SIZE, SIZE).permute(1, 2, 0).numpy()
        theirs = np.asarray(train_crop(image, SIZE, sample_rng(0, 0, number)))
        crops.append(np.abs(ours.astype(float) - theirs).mean())
        whole, expected = fast(pixels, sample_rng(0, 0, number)), paper(image, sample_rng(0, 0, number))
        wholes.append((whole - grey_levels(expected)).abs().mean().item())
    return float(np.mean(crops)), float(np.mean(wholes))


def main() -> None:
    """Print a line for each pipeline."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, help="JPEG files, also in folders below it")
    parser.add_argument("--images", type=int, default=224, help="files to use at most (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=8, help="rounds over all files (default: %(default)s)")
    arguments = parser.parse_args()
    files = sorted(arguments.folder.rglob("*.jpg"))[: arguments.images]
    if len(files) < BATCH:
        parser.error(f"expected at least {BATCH} files *.jpg below {arguments.folder}, found {len(files)}")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MARGIN_BENCH_DATA"] = cache
        pipelines = {
            "torchvision, Pillow images": with_torchvision(),
            "torchvision v2, bytes": with_torchvision_v2(),
            "timm": with_timm(),
            "transforms=paper": ours(Paper(SIZE)),
            "transforms=fast": ours(Fast(SIZE, None)),
            "transforms=fast, cache_side=256": ours(Fast(SIZE, TEST_SIDE)),
        }
        seconds_per_image(pipelines, files, 1)  # warm, and the cache filled
        times = seconds_per_image(pipelines, files, arguments.repeats)
        tests = {name: [pipeline.test(path).float() for path in files] for name, pipeline in pipelines.items()}
    first = next(iter(pipelines))
    print(f"{'pipeline':<34}{'images/s':>10}{'ratio':>8}{'quartiles':>14}{'test image':>12}")
    for name, seconds in times.items():
        low, ratio, high = np.quantile(times[first] / seconds, [0.25, 0.5, 0.75])
        difference = np.mean([(a - b).abs().mean().item() for a, b in zip(tests[name], tests[first], strict=True)])
        rate = 1 / np.median(seconds)
        print(f"{name:<34}{rate:>10.0f}{ratio:>8.2f}{low:>8.2f}{high:>6.2f}{difference:>12.3f}")
    crop, whole = train_differences(files)
    print("test image: mean difference from the first pipeline, in grey levels")
    print(f"training images of fast differ from those of paper by {crop:.3f}, with the colours by {whole:.2f}")


if __name__ == "__main__":
    main()
