"""Make one optimiser step of every layout, on the processes that torchrun has started; the first writes the weights.

Usage: torchrun --nproc-per-node N -m tests.helpers.one_step OUTPUT
"""

import sys

import torch
from torch import nn

from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.world import World, join_world
from margin_bench.training.buckets import BatchLayout, backward_batch
from margin_bench.training.exchange import GradientExchange

BATCH_SIZE, NUM_CLASSES = 512, 10
LAYOUTS = [(microbatch, bucket) for microbatch in (32, 128) for bucket in (64, 128, 512)]


def make_model(norm: bool) -> nn.Module:
    """Return a small convolutional net; with `norm` it has batch normalisation and dropout."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, stride=2), *([nn.BatchNorm2d(8), nn.Dropout(0.2)] if norm else []), nn.GELU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, NUM_CLASSES))


def make_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Draw images and targets, of which some are unlabeled."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(BATCH_SIZE, 3, 9, 9, generator=generator)
    targets = (torch.rand(BATCH_SIZE, NUM_CLASSES, generator=generator) < 0.1).to(torch.int8)
    targets[torch.rand(BATCH_SIZE, NUM_CLASSES, generator=generator) < 0.1] = -1
    return images, targets


def seeded_forward(model: nn.Module, microbatch: torch.Tensor, number: int) -> torch.Tensor:
    """Return the logits of a microbatch; its dropout follows from its number in the batch."""
    torch.manual_seed(number)
    logits: torch.Tensor = model(microbatch)
    return logits


def one_step(world: World, microbatch_size: int, bucket_size: int, mode: str) -> dict[str, torch.Tensor]:
    """Return weights and buffers after one step; `mode` is plain, frozen (batch norm in evaluation mode) or train."""
    model = make_model(norm=mode != "plain")
    model.train(mode == "train")
    images, targets = make_batch()
    layout = BatchLayout(BATCH_SIZE, bucket_size, microbatch_size, rank=world.rank, world_size=world.size)
    rows = slice(layout.first_row, layout.first_row + layout.num_rows)

    statistics = backward_batch(
        GradientExchange(model, world),
        seeded_forward,
        list(zip(images[rows].split(microbatch_size), targets[rows].split(microbatch_size), strict=True)),
        TwoWayLoss(),
        layout,
    )
    torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, nesterov=True, weight_decay=1e-4).step()
    return {**model.state_dict(), "statistics": world.sum(statistics)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_world() as world:
        steps = {
            f"{mode} {microbatch} {bucket}": one_step(world, microbatch, bucket, mode)
            for mode in ("plain", "frozen", "train")
            for microbatch, bucket in LAYOUTS
        }
        if world.is_first:
            torch.save(steps, sys.argv[1])
