"""Plots of tables: their kind, what stands in them, and that nothing else changes their bytes."""

import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from margin_bench.cli import main
from margin_bench.tables.overrides import narrowed
from margin_bench.tables.plots import plots
from margin_bench.tables.spec import read_table
from tests.helpers.measured_tables import measured, write_table
from tests.helpers.synthetic_runs import identities, write_run


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Two seeds of each cell of some tables on digits, and the first cell of Table 1 on COCO."""
    folder = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    for name in ("table1", "table3", "table5", "ways"):
        for block in narrowed(read_table(name, identities().sources), ["dataset=digits"]).blocks:
            for row, column in block.pairs():
                for seed in range(2):
                    scores = tuple(random.uniform(40, 90, 2).tolist())
                    write_run(folder, " ".join(block.words_of(row, column)), seed, scores)
    write_run(folder, "dataset=coco loss=twoway loss.positive_temperature=0.0 loss.negative_temperature=0.5")
    return folder


def texts(svg):
    """What is written in a plot, which matplotlib notes beside the outlines of the letters."""
    return [text.replace("&lt;", "<") for text in re.findall(r"<!-- (.*?) -->", svg.decode(), re.DOTALL)]


def test_two_temperatures_make_heat_maps(runs_dir):
    written = texts(plots(measured(runs_dir, "table1", "dataset=digits"))[".svg"])
    assert {"mAP@class", "mAP@sample"} <= set(written)
    assert [written.count(name) for name in ("T_P", "T_N")] == [2, 2]
    assert sum("±" in text for text in written) == 1 + 2 * 20, "the title, and the cells of both measures"


def test_a_heat_map_shows_what_is_missing_and_what_is_published(runs_dir):
    written = texts(plots(measured(runs_dir, "table1"))[".svg"])
    assert written[(first := written.index("50.00")) : first + 4] == ["50.00", "[71.03]", "missing", "[71.58]"]
    assert "in brackets: published" in written
    assert any("one seed" in text for text in written)


def test_sizes_of_buckets_make_lines(runs_dir):
    written = texts(plots(measured(runs_dir, "table5", "dataset=digits"))[".svg"])
    assert [written.count(name) for name in ("mAP@class, percent", "mAP@sample, percent", "M", "512")] == [1, 1, 2, 2]
    assert "(dataset=digits, mean ± std over 2 seeds)" in " ".join(written)


def test_ways_make_one_scatter_of_both_losses(runs_dir):
    written = texts(plots(measured(runs_dir, "table3", "dataset=digits"))[".svg"])
    assert [written.count(name) for name in ("mAP@class, percent", "both", "class", "sample")] == [1, 2, 2, 2]
    assert {"(a) two-way", "(b) softmax"} <= set(written)
    assert "published" not in written


def test_rows_and_columns_make_a_scatter_of_their_own(runs_dir):
    """Many cells have a panel for each of the shorter side, the ways; each loss stands at its point."""
    written = texts(plots(measured(runs_dir, "ways", "dataset=digits"))[".svg"])
    assert [written.count(name) for name in ("mAP@class, percent", "triplet", "joint", "bce")] == [5, 4, 1, 1]
    assert {f"relative, {way}" for way in ("sample", "class", "both", "joint")} <= set(written)


def test_a_spread_does_not_widen_a_scatter_beyond_what_a_score_can_be(tmp_path):
    for seed, score in enumerate((1.0, 99.0)):
        write_run(tmp_path, "dataset=digits loss=twoway loss.way=class", seed, (score, score))
    written = texts(plots(measured(tmp_path, "table3", "dataset=digits"))[".svg"])
    ticks = [float(text.replace("\N{MINUS SIGN}", "-")) for text in written if re.fullmatch(r"\W?\d+", text)]
    assert (min(ticks), max(ticks)) == (0, 100)


def test_numbers_stand_in_a_scatter_with_the_name_of_their_axis(tmp_path):
    write_run(tmp_path, "dataset=digits loss=multi_similarity loss.positive_temperature=2.0")
    assert "T_P 2" in texts(plots(measured(tmp_path, "table4", "dataset=digits"))[".svg"])


def test_the_same_table_makes_the_same_bytes_whatever_the_users_own_settings(runs_dir):
    table = measured(runs_dir, "table3", "dataset=digits")
    expected = plots(table)
    assert set(expected) == {".png", ".svg"}
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": None, "savefig.facecolor": "red"}):
        assert plots(table) == expected
    assert b"<dc:date>" not in expected[".svg"]


def test_what_has_no_scores_has_no_plot(runs_dir, tmp_path):
    assert plots(measured(runs_dir, "table6")) == {}
    assert plots(measured(tmp_path, "table3")) == {}


@pytest.mark.parametrize(
    "axes", ["rows: {name: T_P, key: loss.positive_temperature, values: [1.0, 4.0]}", "", "measures: [map_class]"]
)
def test_a_block_without_runs_is_drawn_empty(axes, tmp_path, runs_dir):
    write_table(
        tmp_path,
        f"""
caption: Mine
base: dataset=digits
{axes}
columns: {{name: T_N, key: loss.negative_temperature, values: [0.5, 1.0]}}
blocks: {{there: {{base: loss=twoway}}, missing: {{base: loss=twoway epochs=3}}}}
""",
    )
    table = measured(runs_dir, "mine", own=tmp_path)
    assert "there" in " ".join(texts(plots(table)[".svg"]))


def test_plots_are_written_beside_the_table_without_torch(runs_dir, tmp_path):
    code = """
import sys
from margin_bench.cli import main
assert main(sys.argv[1:]) == 0
assert "torch" not in sys.modules
"""
    words = ["tables", "table3", "table6", "dataset=digits", f"runs_dir={runs_dir}", "--output", str(tmp_path)]
    subprocess.run([sys.executable, "-c", code, *words, "--plots"], check=True, stdout=subprocess.DEVNULL)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"table3-digits.md", "table3-digits.png", "table3-digits.svg", "table6-digits.md"}


def test_plots_need_a_folder(capsys):
    assert main(["tables", "table3", "--plots"]) == 2
    assert "--output DIR" in capsys.readouterr().err


def test_a_table_without_a_score_says_that_it_has_no_plot(tmp_path, capsys):
    words = ["table3", "table6", f"runs_dir={tmp_path}", "--output", str(tmp_path), "--plots"]
    assert main(["tables", *words]) == 0
    said = capsys.readouterr()
    assert said.out.split() == [str(tmp_path / "table3.md"), str(tmp_path / "table6.md")]
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["table3", "table6"]
    assert "no plot, as it has no scores of runs" in said.err


def test_a_plot_says_that_rates_were_chosen(runs_dir):
    for rate in ("optim.head_lr=0.1 optim.backbone_lr=0.05", "optim.head_lr=0.2 optim.backbone_lr=0.1"):
        write_run(runs_dir, f"dataset=digits loss=twoway {rate} data.holdout=0.2")
    write_run(runs_dir, "dataset=digits loss=twoway optim.head_lr=0.1 optim.backbone_lr=0.05")
    table = measured(runs_dir, "table3", "dataset=digits", rates=(0.1, 0.2))
    assert "a rate of its own for each cell" in " ".join(texts(plots(table)[".svg"]))


def test_dollars_in_a_label_are_dollars(tmp_path):
    write_table(
        tmp_path,
        "caption: Mine\nbase: dataset=digits\ncolumns: {name: x, values: {$a_$: loss=twoway, b: loss=softmax}}\n",
    )
    write_run(tmp_path, "dataset=digits loss=twoway")
    table = measured(tmp_path, "mine", own=tmp_path)
    assert "$a_$" in texts(plots(table)[".svg"])
