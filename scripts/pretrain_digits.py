"""Make the weights of the `digits` backbone: python scripts/pretrain_digits.py (about eight minutes on two cores).

The backbone learns to name the digit and the colour of the one object in a scene, as two separate targets. It sees
train glyphs only, and no scene of the data set.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from safetensors.torch import save_file
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from margin_bench.data import digits

PROJECT = Path(__file__).resolve().parents[1]
NUM_DIGITS, NUM_COLOURS = 10, len(digits.PALETTE)
SPLIT_SEEDS = {"train": 100, "test": 101}  # first part of the key of a scene; the data set's own are 0 and 1

Scenes = tuple[Tensor, Tensor, Tensor]  # images uint8 (N, 3, 64, 64), digits int64 (N,), colours int64 (N,)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PROJECT / "margin_bench/weights/digits.safetensors")
    parser.add_argument("--num-train", type=int, default=48_000, help="number of train scenes")
    parser.add_argument("--num-test", type=int, default=4_000, help="number of scenes with unseen glyphs, for accuracy")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0, help="of the initial weights and of the order of the scenes")
    return parser.parse_args()


def build_model() -> nn.Module:
    """The backbone of `configs/backbone/digits.yaml` without weights, and one logit per digit and per colour."""
    backbone = OmegaConf.load(PROJECT / "configs/backbone/digits.yaml")
    model: nn.Module = timm.create_model(backbone.name, num_classes=NUM_DIGITS + NUM_COLOURS, **backbone.options)
    return model.to(memory_format=torch.channels_last)


def single_object_scenes(split: str, num_scenes: int) -> Scenes:
    """Draw scenes as in the data set, but with one labeled object each."""
    glyphs = digits.load_glyphs(split)
    images = np.empty((num_scenes, digits.SIZE, digits.SIZE, 3), np.uint8)
    digit, colour = np.empty((2, num_scenes), np.int64)
    for index in range(num_scenes):
        integers = digits.RandomIntegers(SPLIT_SEEDS[split], index)
        digit[index], colour[index] = integers.below(NUM_DIGITS), integers.below(NUM_COLOURS)
        images[index] = digits.compose([(int(colour[index]), int(digit[index]))], glyphs, integers)
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(digit), torch.from_numpy(colour)


def normalise(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return ((images / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def train(model: nn.Module, scenes: Scenes, arguments: argparse.Namespace) -> None:
    images, digit, colour = scenes
    num_batches = len(images) // arguments.batch_size
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=arguments.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, arguments.lr, total_steps=arguments.epochs * num_batches, pct_start=0.1
    )
    model.train()
    for epoch in range(1, arguments.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(images)).split(arguments.batch_size)[:num_batches]:
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(normalise(images[batch]))
            by_digit, by_colour = logits.float().split([NUM_DIGITS, NUM_COLOURS], dim=1)
            loss = F.cross_entropy(by_digit, digit[batch]) + F.cross_entropy(by_colour, colour[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch}/{arguments.epochs}: loss {total / num_batches:.3f}", flush=True)


@torch.inference_mode()
def accuracies(model: nn.Module, scenes: Scenes, batch_size: int) -> tuple[float, float]:
    """Return the shares of the scenes whose digit, and whose colour, is named right."""
    images, digit, colour = scenes
    model.eval()
    logits = torch.cat([model(normalise(batch)) for batch in images.split(batch_size)])
    by_digit, by_colour = logits.split([NUM_DIGITS, NUM_COLOURS], dim=1)
    digit_is_right, colour_is_right = by_digit.argmax(1) == digit, by_colour.argmax(1) == colour
    return digit_is_right.double().mean().item(), colour_is_right.double().mean().item()


def save(model: nn.Module, path: Path) -> None:
    """Write every weight and buffer but those of the classifier."""
    classifier: Any = model
    classifier.reset_classifier(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    model = build_model()
    train(model, single_object_scenes("train", arguments.num_train), arguments)
    by_digit, by_colour = accuracies(
        model, single_object_scenes("test", arguments.num_test), batch_size=arguments.batch_size
    )
    print(f"accuracy on {arguments.num_test} scenes with unseen glyphs: digit {by_digit:.1%}, colour {by_colour:.1%}")
    save(model, arguments.output)


if __name__ == "__main__":
    main()
