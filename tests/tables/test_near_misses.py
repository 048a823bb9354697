"""Records that are nearly in a table, and what is said about them."""

import copy

from margin_bench.config import schema
from margin_bench.config.schema import OPEN_GROUPS
from margin_bench.config.sources import our_files
from tests.helpers.measured_tables import measured
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


def test_a_record_from_before_a_parameter_stays_in_its_cell_as_long_as_that_has_the_value_it_came_with(
    tmp_path, monkeypatch
):
    run = write_run(tmp_path, DIGITS)
    ours = {group: copy.deepcopy(our_files(group)) for group in OPEN_GROUPS}
    later = {"normaliser": {"version": "0.3.0", "value": "counting"}}
    for each in ours["loss"]:
        each["about"] = {**each["about"], "since": {**each["about"].get("since", {}), **later}}
    monkeypatch.setattr(schema, "our_files", ours.get)
    assert len(measured(tmp_path, "table3", "dataset=digits", "+loss.normaliser=counting").records) == 1
    table = measured(tmp_path, "table3", "dataset=digits", "+loss.normaliser=all")
    assert (table.records, table.left_out) == ([], [f"{run.name} differs in loss.normaliser"])
