"""Kill one run with SIGKILL again and again, at random moments and inside saves, and let it finish in the end.

Usage: python -m tests.helpers.kill_and_resume FOLDER --kills 10 [override ...]
"""

import argparse
import math
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.helpers.tiny_run import is_saving, read_record, read_result, start

LONGEST_RUN = 300.0  # seconds, of one start


def kill_at(run: subprocess.Popen[str], seconds: float, in_save: bool, runs_dir: Path) -> bool:
    """Kill the run and all its processes, so many seconds after it has begun, or inside the first save after them.

    Returns:
        whether it was killed; False if it ended before.
    """
    started, begun = time.time(), math.inf
    while run.poll() is None and time.time() - started < LONGEST_RUN:
        if begun == math.inf and has_begun(runs_dir, started):
            begun = time.time()
        if time.time() - begun >= seconds and (not in_save or is_saving(runs_dir)):
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            return True
        time.sleep(0.0005)
    run.communicate()
    return False


def has_begun(runs_dir: Path, started: float) -> bool:
    """Tell whether the run has written its record since then, as it does before it trains."""
    return any(path.stat().st_mtime > started for path in runs_dir.glob("*/record.json"))


def kill_and_resume(runs_dir: Path, kills: int, *overrides: str, longest_wait: float = 3.0, seed: int = 0) -> int:
    """Run to the end through so many kills, every third inside a save.

    Args:
        longest_wait: seconds between the beginning of the training and a kill that is not inside a save.

    Returns:
        how many of the kills struck.
    """
    moments = random.Random(seed)
    struck = 0
    for number in range(kills):
        in_save = number % 3 == 0
        seconds = 0.0 if in_save else moments.uniform(0.0, longest_wait)
        struck += kill_at(start(runs_dir, *overrides), seconds, in_save, runs_dir)
    finish(runs_dir, *overrides)
    return struck


def finish(runs_dir: Path, *overrides: str) -> None:
    """Run to the end, undisturbed."""
    run = start(runs_dir, *overrides)
    _, said = run.communicate(timeout=LONGEST_RUN)
    assert run.returncode == 0, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    arguments, overrides = parser.parse_known_args()
    broken, unbroken = arguments.folder / "broken", arguments.folder / "unbroken"
    finish(unbroken, *overrides)
    seconds: float = read_record(unbroken)["durations"]["train_seconds"]
    struck = kill_and_resume(broken, arguments.kills, *overrides, longest_wait=2 * seconds / arguments.kills)
    print(f"{struck} of {arguments.kills} kills struck")
    expected, measured = read_result(unbroken), read_result(broken)
    for name, value in expected.items():
        print(f"{name}: {'same' if measured[name] == value else 'DIFFERENT'}")
    print(f"sha256 of the weights: {measured['weights_sha256']}")


if __name__ == "__main__":
    main()
