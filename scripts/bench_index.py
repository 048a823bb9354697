"""Time opening annotations of full size: made up, in COCO's and VAW's formats and sizes. Takes some minutes and 6 GB.

python scripts/bench_index.py
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import timm
import torch
from PIL import Image
from pycocotools.coco import COCO

from margin_bench.data import coco, vaw
from margin_bench.data.loading import TrainSampler, train_loader
from margin_bench.data.split import Split
from margin_bench.data.transforms import Paper
from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.files import cache_dir
from margin_bench.targets import labeled
from margin_bench.training.predict import score

Result = TypeVar("Result")

COCO_IMAGES, COCO_OBJECTS, COCO_CLASSES = 82_783, 604_907, 80  # of train2014
VAW_OBJECTS = {"train_part1.json": 108_000, "train_part2.json": 108_790, "val.json": 12_286, "test.json": 31_819}
VAW_CLASSES, VAW_IMAGES = 620, 20_000
POLYGON_NUMBERS = 60  # of each object's outline, which makes the file as long as the real one
LINKS_OF_A_FILE = 20_000  # fewer than file systems allow


def make_coco(root: Path, rng: np.random.Generator) -> Path:
    """Write annotations of train2014's size, and the images as links to one file; return the annotation file."""
    names = [f"COCO_train2014_{7 * number + 9:012}.jpg" for number in range(COCO_IMAGES)]
    images = [{"id": 7 * number + 9, "file_name": name, "height": 480, "width": 640, "license": 3,
               "coco_url": "http://example.org/image.jpg", "date_captured": "2013-11-14 17:02:52"}
              for number, name in enumerate(names)]  # fmt: skip
    owners, classes = rng.integers(COCO_IMAGES, size=COCO_OBJECTS), rng.integers(COCO_CLASSES, size=COCO_OBJECTS)
    outlines = rng.integers(0, 64_000, size=(1000, POLYGON_NUMBERS)) / 100
    objects = [{"id": number, "image_id": 7 * int(owner) + 9, "category_id": int(label) + 1, "iscrowd": 0,
                "area": 702.1, "bbox": [473.07, 395.93, 38.65, 28.67],
                "segmentation": [outlines[number % 1000].tolist()]}
               for number, (owner, label) in enumerate(zip(owners, classes, strict=True))]  # fmt: skip
    categories = [{"id": number + 1, "name": f"class {number}"} for number in range(COCO_CLASSES)]
    file = root / "annotations" / "instances_train2014.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"images": images, "annotations": objects, "categories": categories}), encoding="utf-8")
    make_images(root / "train2014", names)
    return file


def make_vaw(root: Path, rng: np.random.Generator) -> None:
    """Write annotations of VAW's size, with two positive and two negative attributes of 620, and images as links."""
    names = [f"attribute {number}" for number in range(VAW_CLASSES)]
    root.mkdir()
    (root / "attribute_index.json").write_text(
        json.dumps({name: column for column, name in enumerate(names)}), encoding="utf-8"
    )
    instance = 0
    for file, count in VAW_OBJECTS.items():
        marks = np.argsort(rng.random((count, 12)), axis=1) + rng.integers(VAW_CLASSES - 12, size=(count, 1))
        objects = []
        for row in marks.tolist():
            instance += 1
            objects.append({"image_id": instance % VAW_IMAGES, "instance_id": str(instance), "object_name": "thing",
                            "instance_bbox": [1.0, 2.0, 20.0, 20.0], "positive_attributes": [names[c] for c in row[:2]],
                            "negative_attributes": [names[c] for c in row[2:4]]})  # fmt: skip
        (root / file).write_text(json.dumps(objects), encoding="utf-8")
    make_images(root / "VG_100K", [f"{number}.jpg" for number in range(VAW_IMAGES)])
    (root / "VG_100K_2").mkdir()


def make_images(folder: Path, names: list[str]) -> None:
    """Write images as links to as few files as the file system allows."""
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(buffer, "JPEG")
    for start in range(0, len(names), LINKS_OF_A_FILE):
        first = folder / names[start]
        first.write_bytes(buffer.getvalue())
        for name in names[start + 1 : start + LINKS_OF_A_FILE]:
            os.link(first, folder / name)


def seconds(call: Callable[[], Result]) -> tuple[float, Result]:
    """Return how long a call takes, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def with_pycocotools(file: Path) -> COCO:
    """Read annotations with pycocotools alone, without the lines that it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def bench_coco(root: Path) -> None:
    """Print how long annotations of COCO's size take, at first and later, beside pycocotools."""
    file = make_coco(root, np.random.default_rng(0))

    def load() -> Split:
        return coco.load("train", root, 2014, keep_empty=False)

    print(f"COCO size: {file.stat().st_size / 1e6:.0f} MB of JSON, {COCO_IMAGES:,} images, {COCO_OBJECTS:,} objects")
    theirs = seconds(lambda: with_pycocotools(file))[0]
    first = seconds(load)[0]
    later = min(seconds(load)[0] for _ in range(3))
    print(
        f"  pycocotools alone {theirs:6.2f} s\n  first open        {first:6.2f} s, {first / theirs:.2f} times as long"
    )
    print(f"  later opens       {later:6.2f} s, index of {index_megabytes():.1f} MB")


def index_megabytes() -> float:
    """Return the size of the newest index."""
    newest = max((cache_dir() / "index").glob("*.index"), key=lambda path: path.stat().st_mtime)
    return newest.stat().st_size / 1e6


def bench_vaw(root: Path) -> None:
    """Print how long annotations of VAW's size take, and what follows from so many classes."""
    make_vaw(root, np.random.default_rng(1))

    def load(split: Literal["train", "test"] = "train") -> Split:
        return vaw.load(split, root, keep_empty=False)

    first, train = seconds(load)
    print(f"VAW size: targets {train.targets.shape}, {(~labeled(train.targets)).mean():.1%} unlabeled")
    print(
        f"  first open        {first:6.2f} s\n  later opens       {min(seconds(load)[0] for _ in range(3)):6.2f} s, "
        f"index of {index_megabytes():.1f} MB"
    )
    test = load("test")
    scores = np.random.default_rng(2).standard_normal(test.targets.shape, np.float32)
    print(f"  scores {scores.shape} scored in {seconds(lambda: score(scores, test))[0]:.2f} s")
    bench_step(train)
    bench_workers(train)


def bench_step(split: Split) -> None:
    """Print how long a step over all classes takes with the smallest of backbones."""
    part = split.rows(np.arange(512))
    sampler = TrainSampler(num_samples=512, seed=0, batch_size=512, microbatch_size=512, rank=0, world_size=1)
    ((images, targets),) = train_loader(part, Paper(32), sampler, workers=0, pin_memory=False)
    model = timm.create_model("test_resnet", num_classes=VAW_CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> float:
        loss = TwoWayLoss()(model(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    took, loss = seconds(step)
    print(f"  a training step of {tuple(targets.shape)}: {took:.2f} s, two-way loss {loss:.2f}")


def bench_workers(split: Split) -> None:
    """Print a loader's memory over an epoch of 20,480 crops, whose batches have all classes."""
    part = split.rows(np.arange(20_480))
    sampler = TrainSampler(num_samples=len(part), seed=0, batch_size=512, microbatch_size=128, rank=0, world_size=1)
    loader = train_loader(part, Paper(32), sampler, workers=2, pin_memory=False)
    memory = [own_megabytes() for _, _ in loader]
    quarter = len(memory) // 4
    print(
        f"  private memory of the two workers, MB: {memory[quarter]:.1f} after a quarter of an epoch, {memory[-1]:.1f} "
        "at its end"
    )


def own_megabytes() -> float:
    """Return the private memory of all child processes."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()
    rollups = [Path(f"/proc/{child}/smaps_rollup").read_text(encoding="utf-8").splitlines() for child in children]
    return sum(int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Private_")) / 1e3


def main() -> None:
    """Make both data sets in a folder of their own, time them, and delete them."""
    argparse.ArgumentParser(description=str(__doc__).splitlines()[0]).parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-index-"))
    os.environ["MARGIN_BENCH_DATA"] = str(folder / "cache")
    try:
        bench_coco(folder / "coco")
        bench_vaw(folder / "vaw")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
