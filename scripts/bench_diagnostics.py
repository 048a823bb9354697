"""Time what is measured on a bucket beside the loss itself, and what that makes of a step of the embedded data set.

python scripts/bench_diagnostics.py [--threads 1] [--repeats 50]
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from margin_bench.config.compose import composed
from margin_bench.config.schema import typed
from margin_bench.config.sources import Sources
from margin_bench.losses import TwoWayLoss
from margin_bench.runs.parts import load_splits, trainer_of
from margin_bench.runtime.precision import resolve_precision
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World
from margin_bench.training.diagnostics import bucket_statistics
from margin_bench.training.progress import Progress

SIZES = ((128, 80), (512, 620))
SHARE_OF_POSITIVES = 0.03


def seconds_of(function: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats + 3):
        started = perf_counter()
        function()
        times.append(perf_counter() - started)
    return median(times[3:])  # the first ones warm up


def of_a_bucket(size: tuple[int, int], repeats: int) -> tuple[float, float]:
    """Return the seconds of the two-way loss with its gradient, and those of the diagnostics."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(size, generator=generator).requires_grad_()
    targets = (torch.rand(size, generator=generator) < SHARE_OF_POSITIVES).to(torch.int8)
    loss = TwoWayLoss()

    def forward_and_backward() -> tuple[Tensor, Tensor]:
        value = loss(logits, targets)
        return value, torch.autograd.grad(value, logits)[0]

    value, gradient = forward_and_backward()
    return (
        seconds_of(forward_and_backward, repeats),
        seconds_of(lambda: bucket_statistics("both", logits, targets, value, gradient), repeats),
    )


def of_a_step() -> float:
    """Return the seconds of a step of `margin-bench train`, whose batch is four buckets of (128, 80)."""
    config = typed("train", composed("train", ["dataset.num_train=2560", "diagnostics=false"], Sources()))
    config.precision = resolve_precision(config.precision)
    split, _ = load_splits(config.dataset, 0)
    trainer = trainer_of(config, split, World())
    trainer.train_epoch(StopRequest(), Progress(1, trainer.steps_per_epoch, stream=None))
    return trainer.run_state.train_seconds / trainer.steps_per_epoch


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=50)
    line = parser.parse_args()
    torch.set_num_threads(line.threads)
    measured = {size: of_a_bucket(size, line.repeats) for size in SIZES}
    for size, (loss, diagnostics) in measured.items():
        print(f"{size}: loss and gradient {1e3 * loss:.2f} ms, diagnostics {1e3 * diagnostics:.2f} ms")
    step = of_a_step()
    share = 4 * measured[128, 80][1] / step
    print(f"a step of the embedded data set {1e3 * step:.0f} ms; diagnostics at each {100 * share:.2f} % of it,")
    print(f"and at every 20th, the default, {100 * share / 20:.3f} %")


if __name__ == "__main__":
    main()
