"""Tables in all formats, byte by byte, from records with every kind of trouble."""

import csv
import io

import pytest
from golden_tables import GOLDEN, SUFFIXES, rendered, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    write_inputs(folder)
    return folder


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_table_looks_as_it_is_kept(name, inputs):
    """`python tests/golden_tables.py` writes the kept files anew."""
    assert rendered(inputs, name) == (GOLDEN / f"table{SUFFIXES[name]}").read_text()


def test_the_csv_is_one(inputs):
    lines = [line for line in rendered(inputs, "csv").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert len(rows) == 16
    assert [row["cell"] for row in rows if row["best"]] == ["(a) two-way, T_P 4, way both"]
    assert all(float(row["mean"]) > 50 for row in rows if row["num_seeds"] != "0")
