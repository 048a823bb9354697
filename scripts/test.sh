#!/usr/bin/env bash
# Sets up a virtual environment with the test extras and runs the whole suite, a process per core. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh '.[dev]'
.venv/bin/python -m pytest --numprocesses "$(nproc)" "$@"
