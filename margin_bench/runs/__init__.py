"""Make a run and its record of a configuration, and score a finished run again.

This package imports `training`, `records` and what is below them.
"""
