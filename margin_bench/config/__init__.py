"""Make a checked configuration, and its identity, of the words of a command line and the YAML files.

This package imports `runtime` and `errors`, never torch.
"""
