"""Train a net of all sorts of parameters, on the processes that torchrun has started; the first writes the results.

In the end the backward of the second process fails. Each process writes what it has met then, and what the group has
left it with, into OUTPUT.RANK.

Usage: torchrun --nproc-per-node N -m tests.helpers.exchanged OUTPUT
"""

import itertools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from margin_bench.errors import LostProcessError
from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.world import World, join_world
from margin_bench.training.buckets import BatchLayout, backward_batch
from margin_bench.training.exchange import GradientExchange

BATCH_SIZE, MICROBATCH_SIZE, NUM_CLASSES, NUM_FEATURES = 24, 4, 5, 600
# Of each step: the microbatches in which the branch is used. On three processes 0, 2 and 4 are no process's last one.
BRANCHES: list[set[int]] = [{0, 1, 2, 3, 4, 5}, {2}, {3}, set(), {0, 4, 5}, {1, 2}]


class Net(nn.Module):
    """A net with a part that may be left out, one that is never used, and one that does not learn.

    Its first and its second layer are larger than the first bucket of DistributedDataParallel, so that it has several.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(8, NUM_FEATURES)
        self.body = nn.Linear(NUM_FEATURES, NUM_FEATURES)
        self.branch = nn.Linear(NUM_FEATURES, NUM_FEATURES)
        self.unused = nn.Linear(3, 3)
        self.frozen = nn.Linear(NUM_FEATURES, NUM_FEATURES).requires_grad_(False)
        self.head = nn.Linear(NUM_FEATURES, NUM_CLASSES)
        self.with_branch = True

    def forward(self, rows: Tensor) -> Tensor:
        features = self.body(self.stem(rows).relu()).relu()
        if self.with_branch:
            features = features + self.branch(features)
        logits: Tensor = self.head(self.frozen(features))
        return logits


def trained(world: World, bucket_size: int, afresh: Iterable[bool]) -> dict[str, Tensor]:
    """Return the weights after a step for each of BRANCHES.

    Args:
        afresh: for each step whether the exchange is made anew before it, as when a run is resumed.
    """
    torch.manual_seed(world.rank)  # all take the weights of the first
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    layout = BatchLayout(BATCH_SIZE, bucket_size, MICROBATCH_SIZE, world.rank, world.size)
    own = slice(layout.first_row, layout.first_row + layout.num_rows)
    exchange = GradientExchange(model, world)
    torch.manual_seed(0)
    for branches, anew in zip(BRANCHES, afresh, strict=False):
        if anew:
            exchange = GradientExchange(model, world)

        def forward(module: nn.Module, rows: Tensor, number: int, branches: set[int] = branches) -> Tensor:
            model.with_branch = number in branches
            logits: Tensor = module(rows)
            return logits

        rows = torch.randn(BATCH_SIZE, 8)
        targets = (torch.rand(BATCH_SIZE, NUM_CLASSES) < 0.4).to(torch.int8)
        optimizer.zero_grad()
        backward_batch(
            exchange,
            forward,
            list(zip(rows[own].split(MICROBATCH_SIZE), targets[own].split(MICROBATCH_SIZE), strict=True)),
            TwoWayLoss(),
            layout,
        )
        optimizer.step()
    return model.state_dict()


class FailsInSecondProcess(torch.autograd.Function):
    """The identity, whose backward fails in one process."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, features: Tensor) -> Tensor:
        return features.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        if os.environ["RANK"] == "1":
            raise RuntimeError("a mistake in the model")
        return gradient


class FailingNet(Net):
    """Fails on its way back, after gradients of the head and the body have been handed over."""

    def forward(self, rows: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(FailsInSecondProcess.apply(self.stem(rows))))
        return logits


def fail(world: World) -> None:
    """Make a backward that fails in the second process."""
    exchange = GradientExchange(FailingNet(), world)
    with exchange.microbatch(is_last=True):
        exchange.replica(torch.ones(2, 8)).sum().backward()


def results(world: World) -> dict[str, dict[str, Tensor]]:
    """Return the weights after training in all ways that are to be the same."""
    once = [number == 3 for number in range(len(BRANCHES))]
    return {
        "never": trained(world, MICROBATCH_SIZE, itertools.repeat(False)),
        "once": trained(world, MICROBATCH_SIZE, once),
        "every step": trained(world, MICROBATCH_SIZE, itertools.repeat(True)),
        "two passes": trained(world, BATCH_SIZE, itertools.repeat(False)),
    }


def main(output: Path) -> None:
    """Write the results, then what becomes of a failure."""
    torch.set_num_threads(1)
    try:
        with join_world() as world:
            weights = results(world)
            if world.is_first:
                torch.save(weights, output)
            fail(world)
    except (RuntimeError, LostProcessError) as error:
        met = f"{type(error).__name__}: {error}"
    threads = [path.read_text(encoding="utf-8") for path in Path("/proc/self/task").glob("*/comm")]
    left = "gloo is left" if any("gloo" in name for name in threads) else "nothing is left"
    output.with_suffix(f".{world.rank}").write_text(f"{met}\n{left}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
