"""Score rankings: average precision and other metrics, their conventions, resampling, paired tests.

Functions take plain arrays and return plain numbers. This package imports `config`, `runtime`, `targets` and `errors`.
"""

from margin_bench.metrics.average_precision import average_precision, map_class, map_sample

__all__ = ["average_precision", "map_class", "map_sample"]
