#!/usr/bin/env bash
# Sets up a virtual environment and trains one run: the two-way loss on the embedded digits. Safe to run again: what is
# installed stays, and a finished run is only printed. Arguments go to `margin-bench train`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh .
.venv/bin/margin-bench train "$@"
echo "Next: source .venv/bin/activate, then margin-bench --help" >&2
