"""Trains and predicts: model, optimiser, buckets, checkpoint, one epoch. Takes plain values, never a configuration;
imports `losses`, `data`, `metrics` and `runtime`.
"""
