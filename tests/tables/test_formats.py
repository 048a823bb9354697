"""Tables in all formats, byte by byte, from records with every kind of trouble."""

import csv
import io
import shutil
import subprocess
from dataclasses import replace

import pytest

from margin_bench.tables.formats import FORMATS, latex
from margin_bench.tables.notes import Note
from margin_bench.tables.sheet import Figure, Grid, Sheet
from tests.helpers.golden_tables import GOLDEN, SUFFIXES, rendered, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    write_inputs(folder)
    return folder


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_table_looks_as_it_is_kept(name, inputs):
    """`python -m tests.helpers.golden_tables` writes the kept files anew."""
    assert rendered(inputs, name) == (GOLDEN / f"table{SUFFIXES[name]}").read_text(encoding="utf-8")


def test_the_csv_is_one(inputs):
    lines = rendered(inputs, "csv").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == 16
    assert lines[17].startswith("# mine: Percent:"), "notes are comments, below all rows"
    assert [row["cell"] for row in rows if row["best"]] == ["(a) two-way, T_P 4, way both"]
    assert all(float(row["mean"]) > 50 for row in rows if row["num_seeds"] != "0")


def sheet_of(label: str, num_grids: int = 1, num_columns: int = 1) -> Sheet:
    """Grids of ten rows."""
    figure = Figure("cell", "map_class", 71.25, 0.5, 3, 3, 70.0, True, ())
    rows = tuple((f"{label} {number}", (figure,) * num_columns) for number in range(10))
    grid = Grid("a title", label, tuple(map(str, range(num_columns))), rows)
    notes = (Note("Left out", ('it\'s a_b | "c"',)), Note("Missing", ("x --y 'z'",), are_commands=True))
    return Sheet("mine", "Mine", (grid,) * num_grids, notes)


def test_the_latex_of_many_grids_is_several_floats_that_a_page_holds():
    text = latex([sheet_of("row", num_grids=7)])
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert [text.count(part) for part in ("Mine (1 of 3)", "Mine (3 of 3)", r"\label{tab:mine}")] == [1, 1, 1]


def test_signs_that_latex_reads_differently_are_written_out():
    text = latex([sheet_of("[1] *")])
    assert "\n{}[1] * 0 & 71.25" in text
    assert r"it's a\_b \textbar{} \symbol{34}c\symbol{34}" in text
    assert r"\texttt{x -{}-y \textquotesingle{}z\textquotesingle{}}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_wide_and_long_latex_stays_on_its_pages(tmp_path):
    packages = r"\usepackage{booktabs}\usepackage{graphicx}"
    text = latex([sheet_of("[a|b] 'c' --d", num_grids=7, num_columns=9)])
    (tmp_path / "a.tex").write_text(
        rf"\documentclass{{article}}{packages}\begin{{document}}{text}\end{{document}}", encoding="utf-8"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    assert "too large" not in done.stdout


HOSTILE = "<img src=x> ![a](b) | \x1b[2J \n=1"


@pytest.mark.parametrize("name", FORMATS)
def test_labels_are_only_text_in_every_format(name):
    text = FORMATS[name][0]([replace(sheet_of(HOSTILE), name=HOSTILE, caption=HOSTILE)])
    assert "\x1b" not in text
    assert "<img" not in text or name == "csv"  # where it is text
    assert "](" not in text.replace("\\](", "") or name in ("csv", "latex", "html")
    if name == "csv":
        for row in csv.reader(io.StringIO(text.partition("\n#")[0])):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@")) and not is_number(cell)]


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True
