"""Times `margin-bench tables` on a thousand synthetic records, start of the interpreter included.

    python scripts/bench_tables.py [--records 1000] [--repeats 5]

The records are those of all tables on the embedded data set, with as many seeds as make the number.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from margin_bench.tables.overrides import narrowed
from margin_bench.tables.spec import read_table
from tests.helpers.synthetic_runs import identities, write_run

TABLES = ("table1", "table2", "table3", "table4", "table5", "table7", "ways")


def cells() -> list[str]:
    """The overrides of every cell of the tables, each once."""
    found = {}
    for name in TABLES:
        for block in narrowed(read_table(name, identities().sources), ["dataset=digits", "backbone=digits"]).blocks:
            for row, column in block.pairs():
                words = block.words_of(row, column)
                found[identities().of(words).run_id(0, "fp32")] = " ".join(words)
    return list(found.values())


def seconds(command: list[str], repeats: int) -> float:
    """The median time of a command."""
    times = []
    for _ in range(repeats):
        started = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        all_cells = cells()
        runs = ((seed, words) for seed in itertools.count() for words in all_cells)
        for seed, words in itertools.islice(runs, arguments.records):
            write_run(Path(folder), words, seed, scores=(50 + seed, 70 + seed))
        size = sum(path.stat().st_size for path in Path(folder).glob("*/record.json"))
        print(f"{arguments.records} records of {size / arguments.records / 1000:.1f} kB, {len(all_cells)} cells")
        python = [sys.executable, "-m", "margin_bench", "tables", f"runs_dir={folder}"]
        for table in (["table1", "dataset=digits"], ["ways", "dataset=digits"], []):
            print(f"margin-bench tables {' '.join(table):<24} {seconds([*python, *table], arguments.repeats):.2f} s")


if __name__ == "__main__":
    main()
