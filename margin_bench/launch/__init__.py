"""Does one job of many: a grid of overrides, through Hydra's launchers, here or on a cluster.

Imports `runs` and what is below it.
"""
