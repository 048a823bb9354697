"""A split predicted once more by the model of a finished run, and what is not predicted."""

import json
import os
import shutil
import signal
import sys

import pytest

from margin_bench.cli import main
from margin_bench.config import schema
from margin_bench.config.sources import our_files
from margin_bench.records.record import write_record
from margin_bench.runs import repredict
from margin_bench.runs.parts import load_split
from tests.helpers.made import jpeg
from tests.helpers.tiny_run import read_record, train


def test_weights_that_are_not_those_of_the_record_are_not_scored(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 4
    assert "another SHA-256" in capsys.readouterr().err
    weights.unlink()
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 4


def test_a_run_on_a_data_set_of_the_users_own_is_scored_only_if_they_trust_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "striped_data.py").write_text(
        "import numpy as np\n"
        "from margin_bench.data.split import Split\n"
        "def load(split):\n"
        "    targets = np.eye(2, dtype=np.int8)[np.arange(8) % 2]\n"
        "    images = np.zeros((8, 64, 64, 3), np.uint8)\n"
        "    images[:, :, ::2] = 200 * targets[:, :1, None, None].astype(np.uint8)\n"
        "    return Split(images, targets, ('stripes', 'none'))\n",
        encoding="utf-8",
    )
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "striped.yaml").write_text("name: striped\n_target_: striped_data.load\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "striped_data", raising=False)
    overrides = ["dataset=striped", "backbone=digits", "transforms=scenes", "epochs=1", "batch_size=8"]
    sizes = ["bucket_size=8", "microbatch_size=8", f"runs_dir={tmp_path}/runs"]
    assert main(["train", "--config-dir", str(tmp_path), *overrides, *sizes]) == 0
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert main(["evaluate", f"run={run_dir}", "recompute=true"]) == 2
    assert "trust=true" in capsys.readouterr().err
    assert main(["evaluate", f"run={run_dir}", "recompute=true", "trust=true"]) == 0
    assert "mAP@class" in capsys.readouterr().out


def test_a_model_is_not_scored_on_data_whose_classes_have_another_order(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    record = read_record(finished_run.parent)
    names = record["dataset"]["class_names"]
    record["dataset"]["class_names"] = [names[1], names[0], *names[2:]]
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 3
    assert f"was trained on differ: {names[0]} and {names[1]}" in capsys.readouterr().err


def test_the_test_split_of_a_run_with_a_held_out_part_needs_the_model(tmp_path, capsys):
    """Its saved scores are those of the held-out part."""
    assert train(tmp_path, "data.holdout=0.25", "epochs=1", "batch_size=32", "bucket_size=32") == 0
    (path,) = tmp_path.glob("*/record.json")
    capsys.readouterr()
    assert main(["evaluate", f"run={path.parent}"]) == 0
    out = capsys.readouterr().out
    assert "saved scores" not in out
    assert "(paper protocol, test split" in out


def test_a_signal_on_the_way_ends_the_evaluation_without_scores(finished_run, monkeypatch, capsys):
    def stopped(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return load_split(*arguments)

    monkeypatch.setattr(repredict, "load_split", stopped)
    assert main(["evaluate", f"run={finished_run}", "recompute=true"]) == 75
    said = capsys.readouterr()
    assert said.err == "margin-bench: preempted\n"
    assert "mAP" not in said.out


def test_a_run_without_a_best_checkpoint_is_told(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy, ignore=shutil.ignore_patterns("checkpoints"))
    assert main(["evaluate", f"run={copy}", "weights=best"]) == 4
    assert "holds no best checkpoint; take weights=last" in capsys.readouterr().err


def test_a_run_that_was_copied_elsewhere_finds_its_data_in_their_usual_place(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    (copy / "paths.json").unlink()
    assert main(["evaluate", f"run={finished_run}", "recompute=true"]) == 0
    expected = capsys.readouterr().out.replace(str(finished_run), str(copy))
    for words in ([], [f"root={os.environ['MARGIN_BENCH_DATA']}"]):
        assert main(["evaluate", f"run={copy}", "recompute=true", *words]) == 0
        assert capsys.readouterr().out == expected


def test_a_run_on_a_table_of_the_users_is_scored_elsewhere_where_they_say(tmp_path, monkeypatch, capsys):
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "images" / name).write_bytes(jpeg(len(name)))
    (tmp_path / "images" / "labels.csv").write_text(
        "image,cat,dog,split\na.jpg,1,0,train\nb.jpg,0,1,test\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    words = ["dataset=csv", "dataset.file=images/labels.csv", "backbone=digits", "transforms.image_size=64"]
    sizes = ["epochs=1", "batch_size=2", "bucket_size=2", "microbatch_size=2", "precision=fp32", "workers=0"]
    assert main(["train", *words, *sizes]) == 0
    (run_dir,) = (tmp_path / "runs").iterdir()
    monkeypatch.chdir(tmp_path.parent)
    again = ["evaluate", f"run={run_dir}", "recompute=true", "workers=0"]
    assert main(again) == 0, "from another folder, though the file was named from this one"
    (run_dir / "paths.json").unlink()
    capsys.readouterr()
    assert main(again) == 3
    said = capsys.readouterr().err
    assert "it is not known where dataset.file=labels.csv" in said
    assert "root=DIR" in said
    assert main([*again, f"root={tmp_path / 'images'}"]) == 0


def test_a_file_of_paths_runs_no_code(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    record = read_record(finished_run.parent)
    record["config"]["dataset"]["_target_"] = "system"
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    (copy / "paths.json").write_text(
        '{"dataset._target_": "/os/system", "transforms._target_": "os.system"}', encoding="utf-8"
    )
    assert main(["evaluate", f"run={copy}", "recompute=true", f"root={tmp_path}"]) == 2
    assert "_target_=/os/system, which is no code of margin-bench that a saved file may name" in capsys.readouterr().err


def test_a_record_from_before_a_key_is_scored_with_the_value_that_the_key_came_with(
    finished_run, tmp_path, monkeypatch
):
    ours = our_files("dataset")
    later = {"about": {"since": {"num_test": {"version": "0.3.0", "value": 64}}}}
    monkeypatch.setattr(schema, "our_files", lambda group: [{**each, **later} for each in ours])
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    record = read_record(finished_run.parent)
    del record["config"]["dataset"]["num_test"]
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 0


def changed_copy(finished_run, folder, **options):
    """A copy of a run whose record says other options of the backbone."""
    copy = folder / "copy"
    shutil.copytree(finished_run, copy)
    record = read_record(finished_run.parent)
    record["config"]["backbone"]["options"] = options
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    return copy


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained_cfg", "features_only", "unknown"])
def test_options_of_a_record_that_may_do_harm_are_refused(finished_run, tmp_path, capsys, option):
    copy = changed_copy(finished_run, tmp_path, **{option: "/tmp/evil.pth"})
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 2
    assert f"backbone.options.{option}, which a saved file may not set" in capsys.readouterr().err


def test_options_of_a_record_that_are_harmless_are_taken(finished_run, tmp_path, capsys):
    copy = changed_copy(finished_run, tmp_path, drop_rate=0.1)
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 0


def test_a_record_makes_no_folder_where_it_says_that_its_data_are(finished_run, tmp_path, capsys):
    copy = changed_copy(finished_run, tmp_path)
    record = read_record(finished_run.parent)
    named = f"{tmp_path}/elsewhere/{record['config']['dataset']['root']}"
    (copy / "paths.json").write_text(json.dumps({"dataset.root": named}), encoding="utf-8")
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 0
    assert not (tmp_path / "elsewhere").exists()
