#!/usr/bin/env bash
# Installs the project (an argument like '.' or '.[dev]') in editable mode into .venv, which is made if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "margin-bench needs Python 3.11 or newer; $("$python" --version) was found. Set PYTHON=/path/to/python3.11." >&2
    exit 2
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "Installing $1 and what it needs into .venv: several GB and some minutes at the first time" >&2
# torch and torchvision must be the pair that the package index gives: a torch wheel from a local folder breaks torchvision.
PIP_FIND_LINKS='' .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$1"
.venv/bin/python -c 'import torch, torchvision; torchvision.ops.nms' || {
    echo "torch and torchvision do not fit together here: remove .venv and try again" >&2
    exit 2
}
