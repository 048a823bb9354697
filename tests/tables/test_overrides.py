"""A table with the overrides of a user."""

import pytest

from margin_bench.config.sources import Sources
from margin_bench.tables.overrides import NoPlaceError, narrowed
from margin_bench.tables.spec import read_table

SOURCES = Sources()


def narrow(name, *words):
    return narrowed(read_table(name, SOURCES), words)


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


@pytest.mark.parametrize(
    ("name", "word", "place"),
    [
        ("table7", "loss=hinge", "along loss, table7 varies more than loss"),
        ("table7", "loss.way=class", "along loss, table7 varies more than loss.way"),
        ("table4", "loss=hinge", "from block to block, table4 varies more than loss"),
        ("table4", "loss.way=class", "from block to block, table4 varies more than loss.way"),
    ],
)
def test_a_value_without_a_place_in_what_the_table_varies_is_refused(name, word, place):
    with pytest.raises(NoPlaceError, match=f"{word}: {place}"):
        narrow(name, word)


def test_what_the_table_has_can_be_taken_where_it_varies_several_keys():
    (block, *_) = narrow("table7", "loss=softmax").blocks
    assert [entry.words for entry in block.rows.entries] == [("loss=softmax", "loss.way=sample")]


def test_what_a_row_says_is_not_said_twice():
    (block, *_) = narrow("table7", "loss=focal", "epochs=2").blocks
    assert block.words == ("dataset=coco", "epochs=2")


@pytest.mark.parametrize("word", ["loss=softmax", "loss.way=class"])
def test_blocks_that_do_not_have_the_chosen_value_are_left_out(word):
    assert [block.name for block in narrow("ways", word).blocks] == ["relative"]


def test_published_numbers_stay_with_their_cells():
    (block,) = narrow("table3", "loss=twoway", "loss.way=class").blocks
    assert [block.published["map_class", row.label, column.label] for row, column in block.pairs()] == [73.06]


def test_a_value_in_quotes_is_the_value():
    (block, _) = narrow("table3", "loss.way='both'").blocks
    assert [entry.label for entry in block.columns.entries] == ["both"]
