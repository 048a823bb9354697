"""Times image pipelines for training on real JPEG files, one process, one thread, from the file to the batch.

python scripts/bench_input.py FOLDER          # any folder of JPEG files; its sub-folders count
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform
from timm.data.loader import fast_collate
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import transforms as v1
from torchvision.transforms import v2

from margin_bench.data.fast import Fast
from margin_bench.data.images import read_image
from margin_bench.data.loading import IMAGENET_MEAN, IMAGENET_STD, sample_rng
from margin_bench.data.transforms import Paper, draw_crop, lighting

SIZE, BATCH = 224, 32

Pipeline = Callable[[list[tuple[int, Path]]], Any]  # numbered files to a batch


def ours(transform: Any) -> Pipeline:
    read = getattr(transform, "read", read_image)

    def batch(files: list[tuple[int, Path]]) -> Tensor:
        return default_collate([transform(read(path, None), sample_rng(0, 0, number)) for number, path in files])

    return batch


def with_torchvision() -> Pipeline:
    """The paper's transforms with torchvision's own classes on Pillow images."""
    transform = v1.Compose(
        [
            v1.RandomResizedCrop(SIZE),
            v1.RandomHorizontalFlip(),
            v1.ColorJitter(0.4, 0.4, 0.4),
            v1.ToTensor(),
            v1.Lambda(lambda image: image + lighting(np.random.default_rng())),
            v1.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    return lambda files: default_collate([transform(Image.open(path).convert("RGB")) for _, path in files])


def with_torchvision_v2() -> Pipeline:
    """The same with its second version on bytes, without lighting, which needs floats."""
    transform = v2.Compose(
        [
            v2.PILToTensor(),
            v2.RandomResizedCrop(SIZE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.4, 0.4, 0.4),
        ]
    )
    return lambda files: default_collate([transform(Image.open(path).convert("RGB")) for _, path in files])


def with_timm() -> Pipeline:
    """timm's training transform and collation, to bytes; without lighting, which it does not have."""
    transform = create_transform(
        SIZE, is_training=True, color_jitter=0.4, interpolation="bilinear", use_prefetcher=True
    )
    return lambda files: fast_collate([(transform(Image.open(path).convert("RGB")), 0) for _, path in files])


def images_per_second(pipelines: dict[str, Pipeline], files: list[Path], seconds: float) -> dict[str, float]:
    """The best of each pipeline's batches, which take turns so that all meet the same load."""
    numbered = list(enumerate(files))
    batches = [numbered[start : start + BATCH] for start in range(0, len(files) - BATCH + 1, BATCH)]
    best: dict[str, list[float]] = {name: [np.inf] * len(batches) for name in pipelines}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for index, batch in enumerate(batches):
            for name, pipeline in pipelines.items():
                start = time.perf_counter()
                pipeline(batch)
                best[name][index] = min(best[name][index], time.perf_counter() - start)
    return {name: BATCH * len(batches) / sum(times) for name, times in best.items()}


def differences(files: list[Path]) -> tuple[float, float]:
    """Mean difference in grey levels of the fast crops, and of the whole fast transform, from the paper's."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    crops, wholes = [], []
    for number, path in enumerate(files):
        fast, paper = Fast(SIZE, None), Paper(SIZE)
        image, array = read_image(path), fast.read(path, None)
        left, top, right, bottom = draw_crop(image.width, image.height, sample_rng(0, 0, number))
        crop = image.crop((left, top, right, bottom)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        resized = torch.nn.functional.interpolate(
            torch.from_numpy(array[top:bottom, left:right].copy()).permute(2, 0, 1).unsqueeze(0),
            (SIZE, SIZE),
            mode="bilinear",
            antialias=True,
        )[0]
        crops.append((resized.float() - torch.from_numpy(np.array(crop)).permute(2, 0, 1)).abs().mean().item())
        theirs = 255 * (paper(image, sample_rng(0, 0, number)) * std + mean)
        wholes.append((fast(array, sample_rng(0, 0, number)) - theirs).abs().mean().item())
    return float(np.mean(crops)), float(np.mean(wholes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=96, help="files to use (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="for all together (default: %(default)s)")
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
            "transforms=fast, cache_side=256": ours(Fast(SIZE, 256)),
        }
        for pipeline in pipelines.values():
            pipeline(list(enumerate(files)))  # warm, and the cache filled
        rates = images_per_second(pipelines, files, arguments.seconds)
    first = next(iter(rates.values()))
    print(f"{'pipeline':<34}{'images/s':>10}{'ratio':>8}")
    for name, rate in rates.items():
        print(f"{name:<34}{rate:>10.0f}{rate / first:>8.2f}")
    crop, whole = differences(files)
    print(f"mean difference of fast from paper, grey levels: crop and resize {crop:.3f}, with colours {whole:.2f}")


if __name__ == "__main__":
    main()
