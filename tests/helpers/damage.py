"""Damage one file of a run after another, in every way that comes to mind, and go on with the run.

    python -m tests.helpers.damage --num 500 --seed 0

What must never come: a traceback, an exit code that is not in the list, or other results without a word.
"""

import argparse
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers.campaigns import REFUSED, make_finished, make_stopped, run, verdict_of_training, with_copy

Draw = random.Random


def flip_a_bit(path: Path, draw: Draw) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, draw: Draw) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(max(1, path.stat().st_size))])


def lengthen(path: Path, draw: Draw) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.randrange(1, 100)))


def empty(path: Path, draw: Draw) -> None:
    path.write_bytes(b"")


def fill_with_zeros(path: Path, draw: Draw) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def fill_with_noise(path: Path, draw: Draw) -> None:
    path.write_bytes(draw.randbytes(path.stat().st_size))


def remove(path: Path, draw: Draw) -> None:
    path.unlink()


def make_a_folder(path: Path, draw: Draw) -> None:
    path.unlink()
    path.mkdir()


def make_a_pipe(path: Path, draw: Draw) -> None:
    path.unlink()
    os.mkfifo(path)


def make_a_link_to_nothing(path: Path, draw: Draw) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def swap_with_another(path: Path, draw: Draw) -> None:
    others = [other for other in path.parent.iterdir() if other.is_file() and other != path]
    if others:
        other = draw.choice(others)
        content = other.read_bytes()
        other.write_bytes(path.read_bytes())
        path.write_bytes(content)


def tear_out_a_piece(path: Path, draw: Draw) -> None:
    content = path.read_bytes()
    first = draw.randrange(max(1, len(content)))
    path.write_bytes(content[:first] + content[first + draw.randrange(1, 100) :])


DAMAGES: list[Callable[[Path, Draw], None]] = [
    *(flip_a_bit, cut, lengthen, empty, fill_with_zeros, fill_with_noise, remove),
    *(make_a_folder, make_a_pipe, make_a_link_to_nothing, swap_with_another, tear_out_a_piece),
]


def damage_one(runs_dir: Path, draw: Draw) -> str:
    """Damage one file of the one run of a folder; return which, and how."""
    files = sorted(path for path in runs_dir.rglob("*") if path.is_file())
    path, damage = draw.choice(files), draw.choice(DAMAGES)
    damage(path, draw)
    return f"{damage.__name__} {path.name}"


def verdict_of_reading(runs_dir: Path, expected: dict[str, str]) -> str:
    """Read a finished run by every command that does; return `same`, `refused`, or what went wrong, in capitals."""
    verdicts = set()
    for name, said in outputs_of(runs_dir).items():
        if said == expected[name]:
            verdicts.add("same")
        elif said.partition(":")[0] in map(str, REFUSED):
            verdicts.add("refused")
        else:
            return f"WRONG: {name}: {said[-1000:]}"
    return "refused" if "refused" in verdicts else "same"


def outputs_of(runs_dir: Path) -> dict[str, str]:
    """Return the exit code and the output of each command, by its name; whatever tells the folder is left out."""
    (run_dir,) = (path for path in runs_dir.iterdir() if path.is_dir())
    lines = {
        "evaluate": ["evaluate", f"run={run_dir}"],
        "evaluate recompute": ["evaluate", f"run={run_dir}", "recompute=true", "workers=0"],
        "compare": ["compare", str(run_dir), str(run_dir), "resamples=10"],
    }
    outcomes = {name: run(*words) for name, words in lines.items()}
    said = {name: outcome.said.replace(str(runs_dir), "RUNS") for name, outcome in outcomes.items()}
    return {name: f"{outcome.exit_code}: {said[name]}" for name, outcome in outcomes.items()}


def campaign(folder: Path, num: int, seed: int) -> Counter[str]:
    """Return how often what came of so many damages, half of them to a stopped run and half to a finished one."""
    draw = random.Random(seed)
    stopped, finished = folder / "stopped", folder / "finished"
    expected: dict[str, Any] = make_finished(finished)
    make_stopped(stopped)
    printed = outputs_of(finished)
    verdicts = Counter[str]()
    for number in range(num):
        whole = finished if number % 2 else stopped

        def trial(copy: Path, is_finished: bool = bool(number % 2)) -> str:
            what = damage_one(copy, draw)
            verdict = verdict_of_reading(copy, printed) if is_finished else verdict_of_training(copy, expected)
            return verdict if verdict in ("same", "refused") else f"{what}: {verdict}"

        verdicts[with_copy(whole, folder / "copy", trial)] += 1
    shutil.rmtree(stopped)
    shutil.rmtree(finished)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    line = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for verdict, count in campaign(Path(folder), line.num, line.seed).most_common():
            print(f"{count:>6}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
