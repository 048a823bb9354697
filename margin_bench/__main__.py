"""Run the command line as `python -m margin_bench`."""

import sys

from margin_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
