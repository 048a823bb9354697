"""Keep what is left of a run, and read it back: the record, the saved scores, the history.

This package imports `metrics`, `config`, `runtime` and `errors`, never torch.
"""
