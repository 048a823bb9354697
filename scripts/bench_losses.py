"""Times forward and backward of the two-way loss beside timm's, in float32 on the CPU, in one process.

python scripts/bench_losses.py --threads 2
"""

import argparse
import time
from collections.abc import Callable

import torch
from timm.loss import two_way_loss as timm_two_way
from torch import Tensor

from margin_bench.losses import TwoWayLoss
from margin_bench.targets import NEGATIVE, POSITIVE

SHAPES = ((128, 80), (512, 80), (512, 620), (512, 9605))
BURST = 5  # runs in a row, as the first after the other loss meets its caches


def best_of_burst(step: Callable[[], None]) -> float:
    times = []
    for _ in range(BURST):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e6)
    return min(times)


def training_step(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor) -> Callable[[], None]:
    def step() -> None:
        logits.grad = None
        loss(logits, targets).backward()  # type: ignore[no-untyped-call]

    return step


def compare(shape: tuple[int, int], positive_share: float, repeats: int) -> tuple[float, float]:
    """The best times of timm and of ours, in microseconds, in alternating bursts so that both meet the same load."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    is_positive = torch.rand(shape, generator=generator) < positive_share
    targets = torch.where(is_positive, POSITIVE, NEGATIVE).to(torch.int8)
    steps = (
        training_step(timm_two_way.TwoWayLoss(), logits, targets.float()),
        training_step(TwoWayLoss(), logits, targets),
    )
    times = [[best_of_burst(step) for step in steps] for _ in range(repeats)]
    theirs, ours = (min(column) for column in zip(*times, strict=True))
    return theirs, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=20, help="bursts of each, the best run counts (default: %(default)s)"
    )
    parser.add_argument("--positives", type=float, default=0.03, help="share of positives (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    print(f"{'shape':>12}{'timm, us':>12}{'ours, us':>12}{'ratio':>8}")
    for shape in SHAPES:
        theirs, ours = compare(shape, arguments.positives, arguments.repeats)
        print(f"{shape!s:>12}{theirs:12.0f}{ours:12.0f}{theirs / ours:8.1f}")


if __name__ == "__main__":
    main()
