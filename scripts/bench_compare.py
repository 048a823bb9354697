"""Time the comparison of two runs on scores of the size of COCO, by both metrics; two cores are enough.

OMP_NUM_THREADS=1 taskset -c 2,3 python scripts/bench_compare.py
"""

import argparse
import time

import numpy as np

from margin_bench.metrics.paired import METRICS, compare
from margin_bench.runtime.hardware import usable_cores
from margin_bench.targets import NEGATIVE, POSITIVE

LABELS_PER_SAMPLE = 2.9


def main() -> None:
    """Print a line for each metric."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--samples", type=int, default=40137, help="of the test split (default: %(default)s)")
    parser.add_argument("--classes", type=int, default=80, help="default: %(default)s")
    parser.add_argument("--resamples", type=int, default=10000, help="default: %(default)s")
    arguments = parser.parse_args()

    random = np.random.default_rng(0)
    shape = (arguments.samples, arguments.classes)
    is_positive = random.random(shape) < LABELS_PER_SAMPLE / arguments.classes
    targets = np.where(is_positive, POSITIVE, NEGATIVE).astype(np.int8)
    first, second = (
        (random.standard_normal(shape) + quality * is_positive).astype(np.float32) for quality in (2.0, 2.05)
    )
    print(f"two runs, {shape[0]} x {shape[1]}, {arguments.resamples} resamples, {usable_cores()} cores")
    for metric in METRICS:
        start = time.perf_counter()
        (comparison,) = compare([[first], [second]], targets, [metric], arguments.resamples, seed=0)
        seconds = time.perf_counter() - start
        difference = comparison.differences[0]
        low, high = (100 * end for end in difference.interval)
        print(f"{metric:>12}{seconds:8.1f} s   {100 * difference.difference:+.2f}, interval {low:+.2f} to {high:+.2f}")


if __name__ == "__main__":
    main()
