"""What stands below a table."""

from pathlib import Path

from margin_bench.tables.notes import Note, notes
from tests.helpers.measured_tables import measured
from tests.helpers.synthetic_runs import write_run

DIGITS = ("dataset=digits", "epochs=2")


def missing(runs_dir: Path, name: str, *words: str, **request: object) -> Note:
    """The commands that fill the cells of a table."""
    *_, last = notes(measured(runs_dir, name, *words, **request))
    assert last.are_commands
    return last


def test_a_missing_run_gets_the_precision_of_those_that_are_there(tmp_path):
    assert not any("precision" in line for line in missing(tmp_path, "table3", *DIGITS).lines)
    write_run(tmp_path, "dataset=digits epochs=2 loss=twoway", precision="fp16")
    lines = missing(tmp_path, "table3", *DIGITS).lines
    assert len(lines) == 5
    assert all(" precision=fp16 seed=0 " in line for line in lines)


def test_a_precision_that_was_asked_for_is_named_once(tmp_path):
    write_run(tmp_path, "dataset=digits epochs=2 loss=twoway precision=bf16", precision="bf16")
    lines = missing(tmp_path, "table3", *DIGITS, "precision=bf16", precision="bf16").lines
    assert [line.count("precision=bf16") for line in lines] == [1] * 5


def test_a_missing_final_run_gets_the_precision_of_its_trials(tmp_path):
    words = "dataset=digits epochs=2 loss=twoway loss.way=class"
    for rates in ("optim.head_lr=0.1 optim.backbone_lr=0.05", "optim.head_lr=0.2 optim.backbone_lr=0.1"):
        write_run(tmp_path, f"{words} {rates} data.holdout=0.2", precision="fp16")
    (line,) = missing(tmp_path, "table3", *words.split(), rates=(0.1, 0.2)).lines
    assert "precision=fp16 seed=0" in line


def test_data_of_a_missing_fact_are_counted_with_the_same_words(tmp_path):
    options = ("--config-dir", "my configs", "runs_dir=x")
    (line,) = missing(tmp_path, "table6", "dataset=vaw", "dataset.root=/a b", options=options).lines
    assert line == "margin-bench data check vaw --config-dir 'my configs' 'dataset.root=/a b'    # data set vaw"


def test_one_command_that_fills_all_cells_stands_for_many(tmp_path):
    write_run(tmp_path, "dataset=digits epochs=2 loss=twoway", 1)
    (line,) = missing(tmp_path, "table3", *DIGITS, options=("runs_dir=x",)).short
    words = "table3 runs_dir=x dataset=digits epochs=2 precision=fp32 seeds=2"
    assert line == f"margin-bench reproduce {words}    # 5 cells"
    (line,) = missing(tmp_path, "table3", "loss=twoway", "loss.way=class", rates=(0.1, 0.2)).short
    assert line.endswith("loss=twoway loss.way=class 'search.lr=[0.1,0.2]' seeds=1    # 1 cell")


def test_data_that_are_not_the_published_ones_are_told(tmp_path):
    facts = {"num_train": 5011, "num_test": 4952, "class_names": ["a class"] * 20}
    write_run(tmp_path, "dataset=voc2007 backbone=digits", dataset=facts)
    assert not [note for note in notes(measured(tmp_path, "table6")) if note.heading == "Not the published data"]
    write_run(tmp_path, "dataset=voc2012 backbone=digits", dataset=facts | {"num_train": 100})
    (note,) = (note for note in notes(measured(tmp_path, "table6")) if note.heading == "Not the published data")
    assert note.lines == (
        "data set voc2012: num_train is 100, and 5,717 in the paper.",
        "data set voc2012: num_test is 4,952, and 5,823 in the paper.",
    )
