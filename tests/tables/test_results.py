"""The tables in the repository are those of the records beside them."""

from pathlib import Path

import pytest

from margin_bench.cli import main

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("words", [["ways", "dataset=digits", "epochs=6"]])
def test_the_committed_tables_come_from_the_committed_records(tmp_path, words):
    assert main(["tables", *words, f"runs_dir={RESULTS / 'runs'}", "--output", str(tmp_path)]) == 0
    (rendered,) = tmp_path.iterdir()
    assert rendered.read_bytes() == (RESULTS / rendered.name).read_bytes()
