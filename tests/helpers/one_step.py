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


class SometimesNormed(nn.BatchNorm2d):
    """Batch normalisation that some microbatches leave out and others go through twice."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        for _ in range(int(torch.randint(3, ()))):
            features = super().forward(features)
        return features


def make_model(norm: type[nn.BatchNorm2d] | None) -> nn.Module:
    """Return a small convolutional net; with `norm` it has batch normalisation and dropout."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, stride=2), *([norm(8), nn.Dropout(0.2)] if norm else []), nn.GELU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, NUM_CLASSES))


NORMS = {"plain": None, "frozen": nn.BatchNorm2d, "train": nn.BatchNorm2d, "sometimes": SometimesNormed}


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
    """Return weights and buffers after one step; `mode` is one of NORMS; frozen: batch norm in evaluation mode."""
    model = make_model(NORMS[mode])
    model.train(mode in ("train", "sometimes"))
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
            for mode in NORMS
            for microbatch, bucket in LAYOUTS
        }
        if world.is_first:
            torch.save(steps, sys.argv[1])
