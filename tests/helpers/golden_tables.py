"""The table whose looks are kept in tests/tables/golden, byte by byte, from records with every kind of trouble.

Write these files again:    python -m tests.helpers.golden_tables
"""

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

from margin_bench.cli import main
from tests.helpers.synthetic_runs import write_run

GOLDEN = Path(__file__).parents[1] / "tables" / "golden"
SUFFIXES = {"markdown": ".md", "csv": ".csv", "latex": ".tex", "html": ".html"}

TABLE = """
caption: Ways & temperatures, 100 % synthetic
base: dataset=coco
rows: {name: T_P, key: loss.positive_temperature, values: [1.0, 4.0]}
columns: {name: way, key: loss.way, values: [both, class]}
blocks:
  (a) two-way:
    base: loss=twoway
    published:
      map_class: [[73.0, null], [74.0, 75.0]]
      map_sample: {"1": [85.0, 84.0], "4": [null, 86.66]}
  (b) multi-similarity:
    base: loss=multi_similarity
"""


def write_inputs(folder: Path) -> None:
    """Write the table `mine` to `folder/configs`, and records to `folder/runs`."""
    (folder / "configs" / "table").mkdir(parents=True)
    (folder / "configs" / "table" / "mine.yaml").write_text(TABLE, encoding="utf-8")
    runs = folder / "runs"
    two_way, similar = "dataset=coco loss=twoway", "dataset=coco loss=multi_similarity"
    for seed, scores in enumerate([(72.0, 86.0), (73.0, 85.0), (74.0, 84.5)]):
        write_run(runs, f"{two_way} loss.positive_temperature=1.0", seed, scores)
        write_run(runs, f"{two_way} loss.way=class", seed, scores)
        write_run(runs, two_way, seed, (scores[0] + 5, scores[1]))
    write_run(runs, f"{two_way} loss.positive_temperature=1.0 loss.way=class", 0, (70.0, 80.0))
    write_run(runs, similar, 0, (71.0, 85.95), status="failed")
    write_run(runs, similar, 1, (71.0, 85.95), metric_protocol="interpolated")
    write_run(runs, f"{similar} epochs=3", 0, (60.0, 60.0))
    write_run(runs, f"{similar} loss.way=class", 2, (71.0, 85.0), dataset=_other_data())
    _edit(write_run(runs, f"{similar} loss.way=class", 0), '"finished"', '"Finished"')
    _edit(write_run(runs, f"{similar} loss.way=class", 1), '"schema": 3', '"schema": 1')


def _other_data() -> dict[str, object]:
    facts = {"num_train": 10, "num_test": 10, "class_names": ["one"], "labels_per_sample": 1.0}
    return {**facts, "fingerprints": {"train": "0" * 64, "test": "1" * 64}}


def _edit(run_dir: Path, old: str, new: str) -> None:
    path = run_dir / "record.json"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def rendered(folder: Path, format_name: str) -> str:
    """Return the table in a format, without the hashes of runs, which change with every key of the configuration."""
    printed = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed):
            assert main(["tables", "mine", "--config-dir", "configs", "--format", format_name]) == 0
    finally:
        os.chdir(before)
    return re.sub(r"(seed\d+-)[0-9a-f]{10}", r"\1**********", printed.getvalue())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name))
        for format_name, suffix in SUFFIXES.items():
            (GOLDEN / f"table{suffix}").write_text(rendered(Path(name), format_name), encoding="utf-8")
