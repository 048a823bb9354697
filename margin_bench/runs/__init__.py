"""Makes a run and its record of a configuration, and scores a finished run again. Imports `training`, `records` and
what is below them.
"""
