"""Holds one module for each command that has words of its own: what it takes and what it prints. Imports `launch`,
`tables` and below.
"""
