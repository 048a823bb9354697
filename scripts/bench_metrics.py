"""Time every metric beside scikit-learn's, on float32 scores, and show how far they differ.

OMP_NUM_THREADS=1 python scripts/bench_metrics.py
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    coverage_error,
    label_ranking_average_precision_score,
    label_ranking_loss,
    ndcg_score,
    roc_auc_score,
)

from margin_bench.metrics import map_class, map_sample
from margin_bench.metrics.named import Metric, named_metrics
from margin_bench.metrics.rankings import Scores, Targets
from margin_bench.targets import NEGATIVE, POSITIVE

SHAPES = ((4952, 20), (40137, 80), (31819, 620))
LABELS_PER_SAMPLE = {20: 1.4, 80: 2.9, 620: 1.8}  # Table 6

OURS: dict[str, Metric] = {"map_class": map_class, "map_sample": map_sample, **named_metrics("all")}
THEIRS: dict[str, Callable[[Targets, Scores], float]] = {
    "map_class": lambda targets, scores: average_precision_score(targets, scores, average="macro"),
    "map_sample": label_ranking_average_precision_score,
    "auc_class": lambda targets, scores: roc_auc_score(targets, scores, average="macro"),
    "coverage_error": coverage_error,
    "one_error": lambda targets, scores: 1 - ndcg_score(targets, scores, k=1),
    "ranking_loss": label_ranking_loss,
}


def random_ranking(num_samples: int, num_classes: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Make scores and targets with a positive in every row, since scikit-learn counts a row without one."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((num_samples, num_classes), np.float32)
    share = (LABELS_PER_SAMPLE[num_classes] - 1) / num_classes
    targets = np.where(random.random(scores.shape) < share, POSITIVE, NEGATIVE).astype(np.int8)
    targets[np.arange(num_samples), random.integers(num_classes, size=num_samples)] = POSITIVE
    return scores, targets


def best_of(repeats: int, metric: Callable[[], float]) -> tuple[float, float]:
    """Return the metric's value and its best time in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = metric()
        times.append((time.perf_counter() - start) * 1e3)
    return value, min(times)


def main() -> None:
    """Print a line for each metric and shape."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of ours, the best counts (default: %(default)s)")
    arguments = parser.parse_args()

    print(f"{'metric':>16}{'shape':>14}{'scikit-learn, ms':>18}{'ours, ms':>10}{'ratio':>8}{'difference':>12}")
    for shape in SHAPES:
        scores, targets = random_ranking(*shape)
        for name, metric in OURS.items():
            value, ours = best_of(arguments.repeats, partial(metric, scores, targets))
            line = f"{name:>16}{shape!s:>14}"
            if name not in THEIRS:
                print(f"{line}{'-':>18}{ours:10.1f}")
                continue
            expected, theirs = best_of(1, partial(THEIRS[name], targets, scores))
            print(f"{line}{theirs:18.0f}{ours:10.1f}{theirs / ours:8.1f}{value - expected:12.0e}")


if __name__ == "__main__":
    main()
