"""Tables of runs: what they hold, which records fill them, and how they look."""
