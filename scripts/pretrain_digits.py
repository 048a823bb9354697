"""Makes the weights of the `digits` backbone: `python scripts/pretrain_digits.py` (about ten minutes on two cores).

The backbone learns to name the digit and the colour of the one object in a scene, as two separate targets. It sees the
train glyphs only, and never a scene of the data set.
"""

import argparse
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from margin_bench.data import digits

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NUM_DIGITS, NUM_COLOURS = 10, len(digits.PALETTE)
BATCH_SIZE = 128


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(digits.__file__).parents[1] / "weights/digits.safetensors")
    parser.add_argument("--name", default="test_byobnet", help="name of the backbone in timm")
    parser.add_argument("--output-stride", type=int, default=16)
    parser.add_argument("--num-scenes", type=int, default=64_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def single_object_scenes(split: str, num_scenes: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8 (N, 3, 64, 64) with their digits and colours, both int64 (N,)."""
    glyphs = digits.load_glyphs(split)
    images = np.empty((num_scenes, digits.SIZE, digits.SIZE, 3), np.uint8)
    labels = np.empty((2, num_scenes), np.int64)
    for index in range(num_scenes):
        integers = digits.RandomIntegers(100 + seed, index)
        images[index], labels[0, index], labels[1, index] = compose(glyphs, integers)
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels[0]), torch.from_numpy(labels[1])


def compose(glyphs: list[digits.Glyphs], integers: digits.RandomIntegers) -> tuple[digits.Canvas, int, int]:
    """A scene with its one digit and colour: the digits' background and clutter, then the object."""
    canvas = digits.paint_background(integers)
    cells = list(range(9))
    for _ in range(integers.between(0, 5)):
        glyph = digits.draw_glyph(glyphs[integers.below(10)], integers)
        digits.paint_clutter(canvas, glyph, integers, digits.draw_box(cells, integers))
    digit, colour = integers.below(NUM_DIGITS), integers.below(NUM_COLOURS)
    glyph = digits.draw_glyph(glyphs[digit], integers)
    digits.paint_glyph(canvas, glyph, digits.jittered_colour(colour, integers), digits.draw_box(cells, integers))
    return canvas, digit, colour


def normalise(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((images / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def train(model: nn.Module, scenes: tuple[Tensor, Tensor, Tensor], arguments: argparse.Namespace) -> None:
    images, digit, colour = scenes
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=arguments.weight_decay, fused=True)
    num_steps = arguments.epochs * (len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, arguments.lr, total_steps=num_steps, pct_start=0.1)
    model.train()
    for epoch in range(arguments.epochs):
        total = 0.0
        batches = torch.randperm(len(images)).split(BATCH_SIZE)[: len(images) // BATCH_SIZE]
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(normalise(images[batch]))
            loss = criterion(logits.float(), digit[batch], colour[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{arguments.epochs}: loss {total / len(batches):.3f}", flush=True)


def criterion(logits: Tensor, digit: Tensor, colour: Tensor) -> Tensor:
    by_digit, by_colour = logits.split([NUM_DIGITS, NUM_COLOURS], dim=1)
    return F.cross_entropy(by_digit, digit) + F.cross_entropy(by_colour, colour)


@torch.inference_mode()
def accuracy(model: nn.Module, scenes: tuple[Tensor, Tensor, Tensor]) -> tuple[float, float]:
    """Shares of scenes with the right digit and with the right colour."""
    images, digit, colour = scenes
    model.eval()
    logits = torch.cat([model(normalise(batch)) for batch in images.split(BATCH_SIZE)])
    by_digit, by_colour = logits.split([NUM_DIGITS, NUM_COLOURS], dim=1)
    right = (by_digit.argmax(1) == digit, by_colour.argmax(1) == colour)
    return float(right[0].float().mean()), float(right[1].float().mean())


def main() -> None:
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    model = timm.create_model(
        arguments.name, num_classes=NUM_DIGITS + NUM_COLOURS, output_stride=arguments.output_stride
    ).to(memory_format=torch.channels_last)
    train(model, single_object_scenes("train", arguments.num_scenes, arguments.seed), arguments)
    by_digit, by_colour = accuracy(model, single_object_scenes("test", 4000, arguments.seed))
    print(f"accuracy on 4000 scenes of unseen glyphs: digit {by_digit:.1%}, colour {by_colour:.1%}")
    model.reset_classifier(0)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
