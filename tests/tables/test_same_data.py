"""Records that stand side by side are of runs on the same data."""

from margin_bench.config.sources import Sources
from margin_bench.tables.cells import Cell, cells_of
from margin_bench.tables.identities import Identity
from margin_bench.tables.same_data import most_common, on_same_data, strangers_among
from margin_bench.tables.spec import read_table

DIGITS = {"dataset": {"name": "digits"}, "data": {"holdout": 0.0}}
COCO = {"dataset": {"name": "coco"}, "data": {"holdout": 0.0}}


def record(run_id, fingerprint):
    return {"run_id": run_id, "dataset": {"fingerprints": {"train": fingerprint}}}


def test_the_records_on_other_data_than_most_are_strangers():
    found = [(DIGITS, record("one", "a")), (DIGITS, record("two", "b")), (DIGITS, record("three", "a"))]
    assert strangers_among(found) == ["two"]


def test_cells_that_ask_for_other_data_may_have_them():
    assert strangers_among([(DIGITS, record("one", "a")), (COCO, record("two", "b"))]) == []
    held_out = {**DIGITS, "data": {"holdout": 0.2}}
    assert strangers_among([(DIGITS, record("one", "a")), (held_out, record("two", "b"))]) == []


def test_strangers_leave_their_cells_with_a_line_for_each():
    (first, second, *_) = cells_of(read_table("table3", Sources()))
    cells = [
        Cell(first.block, first.row, first.column, (), {}, Identity(DIGITS), records=(record("one", "a"),)),
        Cell(second.block, second.row, second.column, (), {}, Identity(DIGITS), records=(record("two", "b"),)),
        Cell(second.block, second.row, second.column, (), {}),
    ]
    kept, left_out = on_same_data(cells)
    assert [[each["run_id"] for each in cell.records] for cell in kept] == [[], ["two"], []]
    assert left_out == ["one is on other data: its fingerprint differs"]


def test_of_values_that_are_there_equally_often_the_last_in_order_is_taken():
    assert most_common(["b", "a", "b", "a"]) == "b"
    assert most_common(["a", "b", "a"]) == "a"
    assert most_common([]) is None
