"""Records that are nearly in a table, and what is said about them."""

from tests.helpers.measured_tables import measured, write_table
from tests.helpers.synthetic_runs import write_run

DIGITS = "dataset=digits loss=twoway"


def left_out(runs_dir, *words):
    """The lines below table 3 on `digits`, whose cell `both` is that of `DIGITS`."""
    return measured(runs_dir, "table3", "dataset=digits", *words).left_out


def test_a_record_of_another_revision_says_which(tmp_path):
    run = write_run(tmp_path, DIGITS)
    assert left_out(tmp_path) == []
    assert left_out(tmp_path, "loss.revision=2") == [
        f"{run.name} was made by revision 1 of loss twoway, which is now 2"
    ]
    assert left_out(tmp_path, "dataset.revision=3", "transforms.revision=2") == [
        f"{run.name} was made by revision 1 of dataset digits, which is now 3; "
        "was made by revision 1 of transforms Scenes, which is now 2"
    ]


def test_what_differs_besides_the_revision_is_said_as_well(tmp_path):
    run = write_run(tmp_path, f"{DIGITS} epochs=3 loss.revision=2")
    assert left_out(tmp_path) == [
        f"{run.name} differs in epochs; was made by revision 2 of loss twoway, which is now 1"
    ]


def test_a_file_with_another_content_is_named(tmp_path):
    run = write_run(tmp_path, f"{DIGITS} backbone.weights=null")
    assert left_out(tmp_path) == [f"{run.name} differs in the content of backbone.weights"]


def test_a_loss_by_another_name_is_the_same_run_and_in_its_cell(tmp_path):
    write_run(tmp_path, f"{DIGITS} loss.name=mine")
    table = measured(tmp_path, "table3", "dataset=digits")
    assert table.left_out == []
    assert len(table.records) == 1


def test_keys_that_cannot_matter_are_not_named(tmp_path):
    run = write_run(tmp_path, f"{DIGITS} epochs=3 backbone.scale=8 loss.name=mine workers=3")
    assert left_out(tmp_path) == [f"{run.name} differs in epochs"]


MINE = "name: mine\n_target_: my_package.Mine\n"
SINCE = "about: {since: {denominator: {version: 0.3.0, value: counting}}}\n"


def test_a_record_from_before_a_parameter_stays_in_its_cell_as_long_as_that_has_the_value_it_came_with(tmp_path):
    (tmp_path / "loss").mkdir()
    file = tmp_path / "loss" / "mine.yaml"
    write_table(tmp_path, "caption: Mine\nbase: dataset=digits loss=mine\n")
    file.write_text(MINE)
    run = write_run(tmp_path / "runs", "dataset=digits loss=mine", own=tmp_path)
    file.write_text(f"{MINE}denominator: counting\n{SINCE}")
    assert len(measured(tmp_path / "runs", "mine", own=tmp_path).records) == 1
    file.write_text(f"{MINE}denominator: all\n{SINCE}")
    table = measured(tmp_path / "runs", "mine", own=tmp_path)
    assert (table.records, table.left_out) == ([], [f"{run.name} differs in loss.denominator"])
