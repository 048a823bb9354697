"""Turn microbatches into the gradient of the batch: one loss value per bucket, on any number of processes.

A batch of B rows is one optimiser step, a bucket of M rows one loss value, a microbatch of m rows one forward. Process
r of W holds the rows [r B/W, (r+1) B/W) of the batch as consecutive microbatches. The loss of the batch is the mean
over its B/M buckets. Before the backward only logits and targets travel between processes: each computes the loss of
the buckets that its rows belong to, takes the gradient of the batch's loss with respect to its own rows of logits, and
carries it back through its own forward. The gradients of the parameters, summed over the processes (see `exchange`),
are then those of one process with the whole batch.

A bucket that spans several microbatches of a process takes two passes: all logits without a graph, the gradient with
respect to them, and a second forward of each microbatch that carries its part of it back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from margin_bench.errors import ConfigError
from margin_bench.runtime.world import World
from margin_bench.training.batch_norm import frozen_statistics, merged_statistics
from margin_bench.training.diagnostics import STATISTICS, bucket_statistics, loss_statistics
from margin_bench.training.exchange import GradientExchange


@dataclass(frozen=True)
class BatchLayout:
    """The spread of a batch's rows over buckets, microbatches and processes."""

    batch_size: int
    bucket_size: int
    microbatch_size: int
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        assert self.batch_size % self.bucket_size == 0
        assert self.batch_size % (self.world_size * self.microbatch_size) == 0

    @property
    def num_buckets(self) -> int:
        """Count the buckets of the batch."""
        return self.batch_size // self.bucket_size

    @property
    def num_rows(self) -> int:
        """Count the rows of the batch that this process holds."""
        return self.batch_size // self.world_size

    @property
    def first_row(self) -> int:
        """Return where the rows of this process begin in the batch."""
        return self.rank * self.num_rows

    @property
    def num_microbatches(self) -> int:
        """Count the microbatches of this process."""
        return self.num_rows // self.microbatch_size

    @property
    def first_microbatch(self) -> int:
        """Return the number of this process's first microbatch in the batch."""
        return self.rank * self.num_microbatches

    @property
    def needs_two_passes(self) -> bool:
        """Tell whether a bucket spans several microbatches of a process."""
        return self.num_microbatches > 1 and self.microbatch_size % self.bucket_size != 0

    @property
    def crosses_processes(self) -> bool:
        """Tell whether a bucket has rows of several processes."""
        return self.num_rows % self.bucket_size != 0


def backward_batch(
    exchange: GradientExchange,
    forward: Callable[[nn.Module, Tensor, int], Tensor],
    microbatches: Sequence[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    layout: BatchLayout,
    gradient_scale: float = 1.0,
    measures: bool = True,
) -> Tensor:
    """Give the parameters of the model the gradient of the batch's loss, the same in every process.

    Args:
        exchange: of the model's gradients, which are none before.
        forward: `(model, images of a microbatch, its number in the batch) -> logits`, float32 (m, C); repeatable.
        microbatches: of this process: the images and the targets, int8 (m, C), of each.
        loss: `(logits (M, C), targets (M, C)) -> scalar`, the value of one bucket.
        gradient_scale: factor on the gradient, for precisions that need one.
        measures: whether more than the loss is measured on the buckets.

    Returns:
        The STATISTICS of the buckets that begin in this process's rows, summed: float32 (len(STATISTICS),).

    Raises:
        ConfigError: the loss gives no number, or none that depends on the logits.
        LostProcessError: another process of the run ends meanwhile.
    """
    world = exchange.world
    statistics: list[Tensor] = []
    numbers = range(layout.first_microbatch, layout.first_microbatch + layout.num_microbatches)
    numbered = list(zip(numbers, microbatches, strict=True))
    if layout.needs_two_passes:
        with torch.no_grad(), frozen_statistics(exchange.model):
            logits = torch.cat([forward(exchange.model, images, number) for number, (images, _) in numbered])
        all_targets = torch.cat([targets for _, targets in microbatches])
        gradient, statistics = _logit_gradient(logits, all_targets, loss, layout, world, measures)
        gradients = torch.split(gradient, layout.microbatch_size)
    with merged_statistics(exchange.model, world):
        for index, (number, (images, targets)) in enumerate(numbered):
            with exchange.microbatch(is_last=index == layout.num_microbatches - 1):
                logits = forward(exchange.replica, images, number)
                if layout.needs_two_passes:
                    gradient = gradients[index]
                else:
                    gradient, of_buckets = _logit_gradient(logits.detach(), targets, loss, layout, world, measures)
                    statistics += of_buckets
                torch.autograd.backward(logits, gradient * gradient_scale)
    return sum(statistics, torch.zeros(len(STATISTICS), device=world.device))


def _logit_gradient(
    logits: Tensor,
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    layout: BatchLayout,
    world: World,
    measures: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Return the gradient of the batch's loss with respect to these rows: a microbatch, or all of this process.

    Return with it the STATISTICS of each bucket that begins in these rows.
    """
    own = range(len(logits))
    if layout.crosses_processes:
        own = range(layout.first_row, layout.first_row + layout.num_rows)
        logits, targets = world.gather_rows(logits), world.gather_rows(targets)
    gradient, statistics = torch.empty_like(logits), []
    way = getattr(loss, "way", None)
    for first in range(own.start - own.start % layout.bucket_size, own.stop, layout.bucket_size):
        rows = slice(first, first + layout.bucket_size)
        bucket = logits[rows].detach().requires_grad_()
        value = _checked(loss(bucket, targets[rows]))
        (gradient[rows],) = torch.autograd.grad(value, bucket)
        if first in own and measures:
            statistics.append(bucket_statistics(way, bucket, targets[rows], value, gradient[rows]))
        elif first in own:
            statistics.append(loss_statistics(value))
    return gradient[own.start : own.stop] / layout.num_buckets, statistics


def _checked(value: Tensor) -> Tensor:
    """Return the value of a loss, which may be a user's own.

    Raises:
        ConfigError: it is not one number, or no gradient leads from it to the logits.
    """
    if not isinstance(value, Tensor) or value.numel() != 1:
        came = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise ConfigError(f"the loss returned {came}\nExpected one number, a tensor (), for a bucket: take the mean.")
    if not value.requires_grad:
        raise ConfigError(
            "the loss does not depend on the logits: no gradient leads to them\n"
            "Expected a number computed from them by torch, without detach() and outside of torch.no_grad()."
        )
    return value.reshape(())
