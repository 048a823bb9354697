"""Let one file operation of a run fail after another, as on a full or a broken disk, then go on without a fault.

    python -m tests.helpers.disk_faults --num 100 --seed 0

What must never come: a traceback, an exit code that is not in the list, or other results than those of an unbroken run.
"""

import argparse
import builtins
import contextlib
import errno
import io
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from margin_bench.errors import ExitCode
from tests.helpers.campaigns import make_finished, make_stopped, train, verdict_of_training, with_copy

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE)
OPERATIONS = ((os, "open"), (os, "fsync"), (os, "replace"), (os, "mkdir"), (os, "unlink"), (io, "open"))
ALLOWED = {int(code) for code in ExitCode}


class Fault:
    """Fail at the operation of a number, and at all later ones if it lasts.

    Attributes:
        count: the operations so far, on files below the folder.
    """

    def __init__(self, folder: Path, number: int, error: int, lasts: bool) -> None:
        self.folder, self.number, self.error, self.lasts = str(folder), number, error, lasts
        self.count = 0

    def hits(self, operands: tuple[Any, ...]) -> bool:
        """Count one operation; tell whether it fails."""
        if not any(self._is_below(operand) for operand in operands[:2]):
            return False
        self.count += 1
        return self.count == self.number or (self.lasts and self.count > self.number)

    def _is_below(self, operand: Any) -> bool:
        if isinstance(operand, int):
            with contextlib.suppress(OSError):
                return str(Path(f"/proc/self/fd/{operand}").readlink()).startswith(self.folder)
            return False
        return isinstance(operand, str | Path) and str(operand).startswith(self.folder)


@contextlib.contextmanager
def failing(fault: Fault) -> Iterator[None]:
    """Let operations fail in this block."""

    def wrapped(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if fault.hits(arguments):
                raise OSError(fault.error, os.strerror(fault.error), str(arguments[0]))
            return operation(*arguments, **options)

        return call

    with contextlib.ExitStack() as patches:
        for module, name in OPERATIONS:
            patches.enter_context(mock.patch.object(module, name, wrapped(getattr(module, name))))
        patches.enter_context(mock.patch.object(builtins, "open", wrapped(builtins.open)))
        yield


def count_operations(folder: Path, whole: Path) -> int:
    """Return how many operations the rest of a stopped run takes."""
    fault = Fault(folder, -1, 0, lasts=False)

    def trial(copy: Path) -> str:
        with failing(fault):
            assert train(copy).exit_code == 0
        return ""

    with_copy(whole, folder / "copy", trial)
    return fault.count


def campaign(folder: Path, num: int, seed: int) -> Counter[str]:
    """Return how often what came of so many faults."""
    draw = random.Random(seed)
    expected = make_finished(folder / "finished")
    make_stopped(folder / "stopped")
    num_operations = count_operations(folder, folder / "stopped")
    verdicts = Counter[str]()
    for _ in range(num):
        fault = Fault(
            folder / "copy", draw.randrange(1, num_operations + 1), draw.choice(ERRORS), lasts=draw.random() < 0.5
        )

        def trial(copy: Path, fault: Fault = fault) -> str:
            with failing(fault):
                outcome = train(copy)
            what = f"{os.strerror(fault.error)} at operation {fault.number}"
            if outcome.exit_code not in ALLOWED:
                return f"{what}: BROKE: {outcome.said[-2000:]}"
            verdict = verdict_of_training(copy, expected)
            if verdict != "same":
                return f"{what}: {verdict}"
            return f"exit code {outcome.exit_code}, then the same"

        verdicts[with_copy(folder / "stopped", folder / "copy", trial)] += 1
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    line = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for verdict, count in campaign(Path(folder), line.num, line.seed).most_common():
            print(f"{count:>6}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
