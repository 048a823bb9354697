"""Tables filled from the records of a folder."""

from pathlib import Path
from typing import Any

from margin_bench.config.sources import Sources
from margin_bench.tables.cells import Measured, Request
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.spec import read_table
from margin_bench.tables.usable_records import load_records
from tests.helpers.synthetic_runs import identities


def measured(runs_dir: Path, name: str, *words: str, own: Path | None = None, **request: Any) -> Measured:
    """Measure the table `name`, as `margin-bench tables NAME WORDS` does.

    Args:
        own: the user's folder of YAML files, if there is one.
        request: seeds, precision, rates or options.
    """
    of_cells = Identities(Sources(own)) if own else identities()
    table = read_table(name, of_cells.sources)
    return measure(table, Request(words, **request), load_records(runs_dir), of_cells)


def write_table(folder: Path, text: str, name: str = "mine") -> Path:
    """Write a table's YAML file below a folder of the user's own, and return that folder."""
    (folder / "table").mkdir(exist_ok=True)
    (folder / "table" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder
