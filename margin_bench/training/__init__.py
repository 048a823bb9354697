"""Train and predict: model, optimiser, buckets, checkpoint, one epoch.

This package takes plain values, never a configuration. It imports `losses`, `data`, `metrics`, `runtime` and `errors`.
"""
