"""Deals with the machine: files, locks, signals, processes, precision, the console. Knows nothing of what is trained,
and imports only `errors`.
"""
