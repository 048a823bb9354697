"""The tables in the repository are those of the records beside them."""

from pathlib import Path

import pytest

from margin_bench.cli import main
from margin_bench.config.sources import Sources

RESULTS = Path(__file__).parents[2] / "results"
TABLES = [
    *([name, "dataset=digits"] for name in ("table1", "table2", "table3", "table4", "table5")),
    ["table2", "dataset=digits", "search.lr=[0.05,0.1,0.2,0.4,0.8,1.6]"],
    ["table7", "dataset=digits", "backbone=digits"],
    ["table7", "dataset=digits", "backbone=digits", "search.lr=[0.05,0.1,0.2,0.4,0.8,1.6]"],
    ["ways", "dataset=digits", "epochs=6"],
]


@pytest.fixture
def losses_of_the_tables(monkeypatch):
    """Hide the losses that have joined since: a table of all losses would have a row for each."""
    shown, options = "".join(path.read_text(encoding="utf-8") for path in RESULTS.glob("*.md")), Sources.options

    def options_shown(self, group):
        return {name: path for name, path in options(self, group).items() if group != "loss" or name in shown}

    monkeypatch.setattr(Sources, "options", options_shown)


@pytest.mark.usefixtures("losses_of_the_tables")
@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_the_committed_tables_come_from_the_committed_records(tmp_path, words):
    assert main(["tables", *words, f"runs_dir={RESULTS / 'runs'}", "--output", str(tmp_path)]) == 0
    (rendered,) = tmp_path.iterdir()
    assert rendered.read_bytes() == (RESULTS / rendered.name).read_bytes()


def test_no_table_in_the_repository_is_without_its_test():
    assert len(list(RESULTS.glob("*.md"))) == len(TABLES) + 1, "the README besides"
