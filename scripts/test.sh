#!/usr/bin/env bash
# Sets up a virtual environment with the test extras and runs the whole suite. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh '.[dev]'
.venv/bin/python -m pytest "$@"
