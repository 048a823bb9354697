"""The runs that tables lack: which they are, once each, and with which seeds and precision."""

import pytest

from margin_bench.commands.arguments import Parser
from margin_bench.commands.missing_runs import MissingRuns, settled
from margin_bench.commands.table_arguments import add_table_arguments, table_arguments
from margin_bench.errors import ConfigError
from margin_bench.runtime.precision import resolve_precision
from tests.helpers.synthetic_runs import write_run

TABLE = """
caption: Two ways
base: dataset=digits loss=twoway
columns: {name: way, key: loss.way, values: [both, class]}
"""


@pytest.fixture
def asked(tmp_path):
    """What a command line with further words asks of the table `mine` of tmp_path."""
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text(TABLE, encoding="utf-8")
    parser = Parser("reproduce", "run what tables lack")
    add_table_arguments(parser, "NAME ...", "It runs what they lack.")
    folders = [f"runs_dir={tmp_path}/runs", "--config-dir", str(tmp_path)]
    return lambda *words: table_arguments(parser.read(["mine", *folders, *words]))


def test_seeds_and_precision_that_are_left_open_are_seed_0_and_the_precision_of_this_machine(asked):
    request = settled(asked()).request
    assert (request.seeds, request.precision) == ((0,), resolve_precision("auto"))


def test_seeds_and_precision_that_are_given_stay(asked):
    request = settled(asked("seeds=2", "precision=fp32", "hydra/launcher=submitit_slurm")).request
    assert (request.seeds, request.precision) == ((0, 1), "fp32")


def test_the_precision_of_other_machines_is_to_be_given(asked):
    with pytest.raises(ConfigError, match=r"hydra/launcher=submitit_slurm: which precision .*\nSay precision=bf16"):
        settled(asked("hydra/launcher=submitit_slurm"))


def test_runs_that_are_there_are_not_missing(asked, tmp_path, capsys):
    write_run(tmp_path / "runs", "dataset=digits loss=twoway loss.way=both", 0)
    MissingRuns(settled(asked("seeds=2", "precision=fp32"))).tell()
    *commands, number, minutes, _ = capsys.readouterr().out.splitlines()
    missing = [(word, words[-1]) for words in map(str.split, commands) for word in words if word.startswith("loss.way")]
    assert sorted(missing) == [("loss.way=both", "seed=1"), ("loss.way=class", "seed=0"), ("loss.way=class", "seed=1")]
    assert number == "3 runs are missing"
    assert minutes.startswith("about ")


def test_every_cell_is_checked_before_anything_runs(asked):
    with pytest.raises(ConfigError, match="epochs=0: expected"):
        MissingRuns(settled(asked("epochs=0")))
