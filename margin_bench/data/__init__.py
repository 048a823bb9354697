"""Read data sets and make batches of them. Imports `errors`, `runtime` and `targets`, and takes plain values.

A data set is one module with a function `load(split, ...) -> Split`, found by the `_target_` of its YAML file; the
other modules serve these, or lead from a split to batches.
"""
