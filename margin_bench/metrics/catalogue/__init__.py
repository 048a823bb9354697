"""Score rankings in further ways: each module is one metric, a function of the module's own name.

It takes scores, float (N, C), and targets, int8 (N, C), and returns a float. `margin-bench evaluate metric.names=[...]`
finds it by its file.
"""
