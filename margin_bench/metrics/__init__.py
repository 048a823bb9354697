"""Scores rankings: average precision, its conventions, resampling, paired tests. Takes plain arrays and gives plain
numbers; imports `config`, `runtime` and `targets`.
"""

from margin_bench.metrics.average_precision import average_precision, map_class, map_sample

__all__ = ["average_precision", "map_class", "map_sample"]
