"""Data sets: one module each, with a function `load(split, root, ...) -> Split`."""
