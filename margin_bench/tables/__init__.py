"""Make tables of records: what a table holds, which records fill it, and how it looks.

This package imports `records`, `config`, `runtime` and `errors`, never torch.
"""
