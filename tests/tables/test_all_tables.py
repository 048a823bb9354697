"""Every table that a record is in."""

import pytest

from margin_bench.config.sources import Sources
from margin_bench.tables.all_tables import every_table
from margin_bench.tables.cells import Request
from margin_bench.tables.identities import Identities
from margin_bench.tables.usable_records import load_records
from tests.helpers.measured_tables import write_table
from tests.helpers.synthetic_runs import write_run

# A table that joins the package later is none of these.
NAMES = {"mine", "ways", *(f"table{number}" for number in range(1, 8))}


@pytest.fixture
def shown(tmp_path):
    """The names of the tables with the words that put them on the data of records."""

    def names(*words):
        found = every_table(Request(words), load_records(tmp_path), Identities(Sources(tmp_path)))
        return [(each.table.name, *each.request.words) for each in found if each.table.name in NAMES]

    return names


def test_a_table_is_put_on_the_data_that_records_are_of(tmp_path, shown):
    write_run(tmp_path, "dataset=digits loss=weston_watkins")
    assert shown() == [("table6", "dataset=digits"), ("ways", "dataset=digits")]


def test_a_backbone_is_named_where_the_data_set_does_not_bring_it(tmp_path, shown):
    write_run(tmp_path, "dataset=digits backbone=densenet169 loss=weston_watkins")
    assert shown() == [("table6", "dataset=digits"), ("ways", "dataset=digits", "backbone=densenet169")]


def test_a_users_words_hold_for_every_table(tmp_path, shown):
    write_run(tmp_path, "dataset=digits loss=weston_watkins epochs=3")
    assert ("ways", "dataset=digits") not in shown()
    assert ("ways", "dataset=digits", "epochs=3") in shown("epochs=3")


def test_a_table_of_the_users_own_is_shown_without_what_it_says_itself(tmp_path, shown):
    write_table(tmp_path, "caption: Mine\nbase: dataset=digits\ncolumns: {name: x, values: {a: loss=zlpr}}\n")
    write_run(tmp_path, "dataset=digits loss=zlpr")
    assert ("mine",) in shown()


def test_a_table_that_has_no_place_for_the_data_is_left_out(tmp_path, shown):
    values = "{a: dataset=coco epochs=1, b: dataset=vaw epochs=2}"
    write_table(tmp_path, f"caption: Mine\nbase: loss=zlpr\nrows: {{name: data, values: {values}}}\n")
    write_run(tmp_path, "dataset=digits loss=zlpr")
    assert "mine" not in [name for name, *_ in shown()]


def test_a_table_in_which_the_words_are_wrong_is_left_out_and_told(tmp_path, shown, capsys):
    write_table(tmp_path, "caption: Mine\nbase: dataset=digits\ncolumns: {name: x, values: {a: loss=bce}}\n")
    write_run(tmp_path, "dataset=digits loss=bce")
    write_run(tmp_path, "dataset=digits loss=twoway loss.way=class")
    assert "mine" not in [name for name, *_ in shown("loss.way=class")]
    assert ("table3", "dataset=digits", "loss.way=class") in shown("loss.way=class")
    told = capsys.readouterr().err.splitlines()
    assert next(line for line in told if "mine" in line).startswith(
        "margin-bench: mine is left out: loss.way=class: bce is point-wise"
    )


def test_without_records_there_is_no_table(shown):
    assert shown() == []
