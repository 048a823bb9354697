"""Do what a user types: one module for each command, with what it takes and what it prints.

This package imports `launch`, `tables` and what is below them.
"""
