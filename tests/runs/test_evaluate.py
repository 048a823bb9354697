"""A finished run scored again, and what is not scored."""

import shutil
import subprocess
import sys

import pytest

from margin_bench.cli import main
from margin_bench.config.schema import metric_names
from margin_bench.metrics.catalogue.coverage_error import coverage_error
from margin_bench.records.record import write_record
from margin_bench.records.scores import load_scores
from tests.helpers.cli import run_cli
from tests.helpers.tiny_run import read_record


def test_evaluate_finds_the_scores_of_the_record(finished_run, capsys):
    metrics = read_record(finished_run.parent)["metrics"]
    expected = f"mAP@class {100 * metrics['map_class']:.2f}   mAP@sample {100 * metrics['map_sample']:.2f}"
    for extra in ([], ["recompute=true"]):
        assert main(["evaluate", f"run={finished_run}", *extra]) == 0
        out = capsys.readouterr().out
        assert expected in out
        assert ("saved scores" in out) is (extra == [])
    assert main(["evaluate", f"run={finished_run.name}", f"runs_dir={finished_run.parent}", "weights=best"]) == 0
    assert "best epoch" in capsys.readouterr().out
    assert main(["evaluate", f"run={finished_run}", "split=train"]) == 0
    assert expected not in capsys.readouterr().out


def test_evaluate_refuses_what_is_no_finished_run_of_ours(finished_run, tmp_path, capsys):
    assert main(["evaluate", f"run={tmp_path}"]) == 4
    assert "no finished run (no record)" in capsys.readouterr().err
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    path = copy / "record.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    assert main(["evaluate", f"run={copy}"]) == 4
    assert "was changed" in capsys.readouterr().err
    record = read_record(finished_run.parent)
    record["config"]["dataset"]["_target_"] = "os.system"
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 2
    assert "os.system" in capsys.readouterr().err


def test_saved_scores_that_are_not_those_of_the_record_are_not_shown(finished_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    (copy / "scores.npz").write_bytes((copy / "scores.npz").read_bytes()[:-1] + b"x")
    assert main(["evaluate", f"run={copy}"]) == 4
    error = capsys.readouterr().err
    assert "scores.npz is not what the record says" in error
    assert len(error.splitlines()) <= 3
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 0


def test_saved_scores_are_shown_by_every_protocol_without_torch(finished_run):
    metrics = read_record(finished_run.parent)["metrics"]
    code = """
import sys
from margin_bench.cli import main
assert main(["evaluate", f"run={sys.argv[1]}", "metric.protocol=all"]) == 0
assert not {"torch", "scipy", "sklearn"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", code, finished_run], check=True, capture_output=True, text=True)
    place, *lines = done.stdout.splitlines()
    assert place == f"saved scores of the test split, last epoch of {finished_run}"
    assert [line.split()[0] for line in lines] == ["paper", "sklearn", "interpolated"]
    assert f"mAP@class {100 * metrics['map_class']:.2f}" in lines[0]
    zeros = metrics["map_class"] * (1 - metrics["classes_left_out"] / 80)
    assert metrics["classes_left_out"] > 0
    assert f"mAP@class {100 * zeros:.2f}" in lines[1]


def test_further_metrics_are_the_same_from_saved_scores_and_from_the_model(finished_run, tmp_path, monkeypatch, capsys):
    (tmp_path / "metrics_of_a_user.py").write_text(
        "def num_samples(scores, targets):\n    return len(scores)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    saved = load_scores(finished_run, read_record(finished_run.parent))
    expected = [
        f"  coverage_error                 {coverage_error(saved.scores, saved.targets):.4f}",
        f"  metrics_of_a_user.num_samples  {len(saved.scores):.4f}",
    ]
    for extra in ([], ["recompute=true"]):
        names = "metric.names=[coverage_error,metrics_of_a_user.num_samples]"
        assert main(["evaluate", f"run={finished_run}", names, *extra]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == expected


def test_all_metrics_of_the_catalogue_are_shown(finished_run, capsys):
    assert main(["evaluate", f"run={finished_run}", "metric.names=all", "metric.protocol=all"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[4:]] == metric_names()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("[ranking_los]", "there is no metric ranking_los; did you mean ranking_loss?"),
        ("coverage", "there is no metric coverage; did you mean coverage_error?"),
        ("[1]", "expected all, or a list of names"),
        ("{a: 1}", "there is no such key to add"),
        ("[no_package.metric]", "no_package.metric cannot be imported"),
    ],
)
def test_an_unknown_metric_is_named_before_anything_heavy_is_imported(names, said, finished_run):
    done = run_cli("evaluate", f"run={finished_run}", f"metric.names={names}", check_modules="torch scipy sklearn")
    assert done.returncode == 2
    assert said in done.stderr
