"""Keeps what is left of a run, and reads it back: the record, the saved scores, the history. Imports `metrics`,
`config` and `runtime`, never torch.
"""
