"""What a process is left with when it leaves its group."""

import subprocess
import sys

import pytest

from tests.helpers.tiny_run import torchrun

# An optimiser imports what else would hold on to the group.
LEAVE = """
from pathlib import Path

import torch
from margin_bench.runtime.world import join_world

with join_world() as world:
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    world.wait_for_all()
threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name], threads
"""


@pytest.mark.skipif(sys.platform != "linux", reason="lists the threads of a process as Linux does")
def test_a_process_that_has_left_its_group_has_none_of_its_threads(tmp_path):
    script = tmp_path / "leave.py"
    script.write_text(LEAVE, encoding="utf-8")
    subprocess.run([*torchrun(2), str(script)], check=True, timeout=300)
