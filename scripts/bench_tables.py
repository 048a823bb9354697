"""Time `margin-bench tables` on a thousand synthetic records, start of the interpreter included.

    python scripts/bench_tables.py [--records 1000] [--repeats 5]

The records are those of all tables on the embedded data set, with as many seeds as make the number. `first` is the
first time after a change of a YAML file, `later` every other time: the least of several, of elapsed and of CPU time.
"""

import argparse
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from margin_bench.tables.overrides import narrowed
from margin_bench.tables.spec import read_table
from tests.helpers.synthetic_runs import identities, write_run

TABLES = ("table1", "table2", "table3", "table4", "table5", "table7", "ways")


def cells() -> list[str]:
    """Return the overrides of every cell of the tables, each once."""
    found = {}
    for name in TABLES:
        for block in narrowed(read_table(name, identities().sources), ["dataset=digits", "backbone=digits"]).blocks:
            for row, column in block.pairs():
                words = block.words_of(row, column)
                found[identities().of(words).run_id(0, "fp32")] = " ".join(words)
    return list(found.values())


def seconds(command: list[str], repeats: int, before: Callable[[], None] = lambda: None) -> str:
    """Return the least elapsed and CPU time of a command, in words.

    Args:
        before: called before each time.
    """
    elapsed, cpu = [], []
    for _ in range(repeats):
        before()
        started, used = perf_counter(), _cpu_seconds()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        elapsed.append(perf_counter() - started)
        cpu.append(_cpu_seconds() - used)
    return f"{min(elapsed):.2f} s ({min(cpu):.2f} s of CPU)"


def _cpu_seconds() -> float:
    """Return the CPU time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs_dir, cache = Path(folder, "runs"), Path(folder, "cache")
        os.environ["MARGIN_BENCH_DATA"] = str(cache)
        all_cells = cells()
        runs = ((seed, words) for seed in itertools.count() for words in all_cells)
        for seed, words in itertools.islice(runs, arguments.records):
            write_run(runs_dir, words, seed, scores=(50 + seed, 70 + seed))
        size = sum(path.stat().st_size for path in runs_dir.glob("*/record.json"))
        print(f"{arguments.records} records of {size / arguments.records / 1000:.1f} kB, {len(all_cells)} cells")
        python = [sys.executable, "-m", "margin_bench", "tables", f"runs_dir={runs_dir}"]
        for table in (["table1", "dataset=digits"], ["ways", "dataset=digits"], []):
            command = [*python, *table]
            first = seconds(command, 2, lambda: shutil.rmtree(cache, ignore_errors=True))
            later = seconds(command, arguments.repeats)
            print(f"margin-bench tables {' '.join(table):<24} first {first}, later {later}")


if __name__ == "__main__":
    main()
