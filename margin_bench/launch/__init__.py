"""Do one job of many: a grid of overrides, through Hydra's launchers, here or on a cluster.

This package imports `runs` and what is below it.
"""
