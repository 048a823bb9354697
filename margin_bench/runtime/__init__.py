"""Deal with the machine: files, locks, signals, processes, precision, the console.

This package knows nothing of what is trained, and imports `errors` alone.
"""
