"""A table with the overrides of a user."""

from margin_bench.tables.narrow import narrowed
from margin_bench.tables.spec import config_dirs, read_table

DIRS = config_dirs(None)


def narrow(name, *words):
    return narrowed(read_table(name, DIRS), words)


def test_an_override_takes_the_place_of_the_tables_own():
    (block,) = narrow("table1", "dataset=digits", "epochs=2").blocks
    assert block.words == ("dataset=digits", "loss=twoway", "loss.way=both", "epochs=2")
    assert len(list(block.pairs())) == 20


def test_of_what_the_table_varies_the_chosen_value_is_left():
    (block,) = narrow("table1", "loss.positive_temperature=4").blocks
    assert [entry.label for entry in block.rows.entries] == ["4"]
    assert [entry.label for entry in block.columns.entries] == ["0.5", "1", "2", "4"]
    assert [block.name for block in narrow("table7", "dataset=vaw").blocks] == ["VAW"]
    assert [block.name for block in narrow("table3", "loss=softmax").blocks] == ["(b) softmax"]


def test_a_value_that_the_table_does_not_have_makes_one_row_or_block_of_it():
    (block,) = narrow("table7", "dataset=digits", "backbone=digits").blocks
    assert block.name == "digits"
    assert block.published == {}
    assert [entry.label for entry in block.columns.entries] == ["digits"]
    assert [entry.label for entry in block.rows.entries] == ["softmax", "bce", "focal", "asl", "two-way"]
    assert "backbone=digits" in block.words


def test_what_else_the_rows_say_stays():
    (block, *_) = narrow("table7", "loss=hinge").blocks
    assert [entry.label for entry in block.rows.entries] == ["hinge loss.way=sample", "hinge"]


def test_published_numbers_stay_with_their_cells():
    (block,) = narrow("table3", "loss=twoway", "loss.way=class").blocks
    assert [block.published["map_class", row.label, column.label] for row, column in block.pairs()] == [73.06]
