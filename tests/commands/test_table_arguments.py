"""The words behind `tables` and `reproduce`, read as one request."""

from pathlib import Path

import pytest

from margin_bench.commands.arguments import Parser
from margin_bench.commands.table_arguments import add_table_arguments, table_arguments
from margin_bench.errors import ConfigError


@pytest.fixture
def parser():
    made = Parser("tables", "show tables")
    add_table_arguments(made, "[NAME ...]", "It shows tables.")
    return made


def test_words_are_names_overrides_and_words_for_hydra(parser):
    words = [
        "table1",
        "dataset=digits",
        "hydra/launcher=basic",
        "--format",
        "csv",
        "table3",
        "seeds=2",
        "precision=fp32",
    ]
    asked = table_arguments(parser.read(words))
    assert asked.names == ["table1", "table3"]
    assert asked.request.words == ("dataset=digits", "precision=fp32")
    assert asked.request.seeds == (0, 1)
    assert asked.request.precision == "fp32"
    assert asked.hydra == ["hydra/launcher=basic"]
    assert (asked.format, asked.output, asked.plots) == ("csv", None, False)


def test_without_words_nothing_is_asked_for(parser):
    asked = table_arguments(parser.read([]))
    assert (asked.names, asked.hydra, asked.runs_dir) == ([], [], Path("runs"))
    assert (asked.request.words, asked.request.seeds, asked.request.precision, asked.request.rates) == (
        (),
        None,
        None,
        (),
    )


def test_a_precision_that_the_machine_chooses_is_none_that_is_asked_for(parser):
    assert table_arguments(parser.read(["precision=auto"])).request.precision is None


def test_folders_are_in_the_words_of_the_commands_that_fill_a_table(parser, tmp_path):
    asked = table_arguments(parser.read([f"runs_dir='{tmp_path}/a, b'", "--config-dir", str(tmp_path)]))
    assert asked.runs_dir == tmp_path / "a, b"
    assert asked.sources.own == tmp_path
    assert asked.request.options == ("--config-dir", str(tmp_path), f'runs_dir="{tmp_path}/a, b"')


def test_learning_rates_are_in_ascending_order_and_each_is_there_once(parser):
    assert table_arguments(parser.read(["search.lr=[0.2,0.05,0.2]"])).request.rates == (0.05, 0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=3"], "a table takes several seeds: seeds=3"),
        (["seeds=0"], "expected how many"),
        (["seeds=three"], "expected how many"),
        (["search.lr=[0.1]"], "expected two rates or more"),
        (["search.lr=[0.1,-1]"], "expected two rates or more above 0"),
        (["search.lr=[0.1,x]"], "expected two rates or more above 0"),
        (["runs_dir="], "expected the folder of the records"),
        (["--plots"], "say where with --output DIR"),
        (["epochs=1,2"], "expected one value"),
    ],
)
def test_what_does_not_fit_is_told(parser, words, said):
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        table_arguments(parser.read(words))


def test_tables_of_a_users_own_are_completed(parser, tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text("caption: mine\n", encoding="utf-8")
    assert parser.completions(["mi"]) == []
    assert parser.completions(["--config-dir", str(tmp_path), "mi"]) == ["mine"]
