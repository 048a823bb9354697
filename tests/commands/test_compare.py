"""`margin-bench compare` on runs that were never trained: a record and scores are all it needs."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from margin_bench.cli import main
from margin_bench.metrics.average_precision import map_class
from margin_bench.records.record import FINISHED, write_record
from margin_bench.records.scores import SavedScores, save_scores, scores_sha256
from margin_bench.targets import NEGATIVE, POSITIVE
from tests.helpers.synthetic_runs import record_of

CLASS_NAMES = ("cat", "dog", "emu", "yak")
FEW = "resamples=50"


def make_run(
    runs_dir, way, seed, status=FINISHED, targets=None, trained_on="some", scored_on="some", weights=None, **config
):
    """A run on 30 samples; runs of the way `both` rank better."""
    names = [str(value) for value in (*config.values(), weights) if value is not None]
    run_id = "-".join(["made", way, *names, f"seed{seed}"])
    random = np.random.default_rng([seed, len(way)])
    if targets is None:
        targets = np.random.default_rng(0).choice(np.array([POSITIVE, NEGATIVE], np.int8), (30, 4), p=[0.3, 0.7])
    quality = 2.0 if way == "both" else 0.5
    scores = (random.standard_normal(targets.shape) + quality * (targets == POSITIVE)).astype(np.float32)
    save_scores(runs_dir / run_id, SavedScores(scores, targets, CLASS_NAMES[: targets.shape[1]]))
    record = record_of("dataset=digits")
    content = record["config"] | {"epochs": 2, "seed": seed, "workers": seed, **config}
    content["loss"] = content["loss"] | {"way": way, "seed": seed}
    content["backbone"] = content["backbone"] | {"weights": weights}
    files = {"backbone.weights": hashlib.sha256(weights.encode()).hexdigest()} if weights else {}
    digest = scores_sha256(runs_dir / run_id)
    dataset = record["dataset"] | {"fingerprints": {"train": trained_on, "test": scored_on}}
    record |= {"run_id": run_id, "status": status, "seed": seed, "config": content, "dataset": dataset}
    record |= {"scores_sha256": digest, "files_sha256": files}
    write_record(runs_dir / run_id, record)
    return runs_dir / run_id


def test_what_is_no_pattern_is_told(capsys):
    assert main(["compare", "both**", "class"]) == 2
    assert "both** is no pattern of runs" in capsys.readouterr().err


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    for way in ("both", "class"):
        for seed in (0, 1, 10):
            make_run(runs_dir, way, seed)
    make_run(runs_dir, "both", 0, epochs=3)
    make_run(runs_dir, "both", 2, status="failed")
    (runs_dir / "made-both-folder").mkdir()
    return runs_dir


def mean_map_class(run_dirs):
    saved = [np.load(run_dir / "scores.npz") for run_dir in run_dirs]
    return np.mean([map_class(each["scores"], each["targets"]) for each in saved])


def test_two_runs_are_compared_in_words(runs_dir, capsys):
    assert main(["compare", "made-class-seed0", "made-both-seed0", f"runs_dir={runs_dir}", FEW]) == 0
    out = capsys.readouterr().out
    first, second = (100 * mean_map_class([runs_dir / f"made-{way}-seed0"]) for way in ("class", "both"))
    assert "30 samples, 4 classes; values in percent" in out
    assert f"#1  {first:.2f} (seed 0)   made-class-seed0" in out
    assert f"#2 minus #1: {second - first:+.2f}, 95 % interval" in out
    assert "above 0 in 100.00 % of 50 resamples" in out
    assert "classes: 4 better, 0 worse, 0 equal; Wilcoxon p = " in out
    assert "most gained: " in out
    assert "most lost" not in out
    assert "mAP@sample" in out
    assert "by Holm" not in out


def test_the_keys_in_which_runs_differ_are_named(runs_dir, capsys):
    words = ["made-class-seed0", "made-both-seed0", "made-both-3-seed0", f"runs_dir={runs_dir}", FEW]
    assert main(["compare", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("in which they differ:")
    assert lines[first + 1 : first + 4] == ["  epochs: 2 | 2 | 3", "  loss.way: 'class' | 'both' | 'both'", ""]
    assert main(["compare", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differing"]["epochs"] == ["2", "2", "3"]


def test_one_is_no_plural(tmp_path, capsys):
    targets = np.array([[POSITIVE]], np.int8)
    first, second = (make_run(tmp_path, way, 0, targets=targets) for way in ("both", "class"))
    assert main(["compare", str(first), str(second), "resamples=1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 sample, 1 class; values in percent")
    assert "% of 1 resample\n" in out


def test_groups_are_patterns_or_lists_of_runs_over_seeds(runs_dir, capsys):
    listed = ",".join(str(runs_dir / f"made-class-seed{seed}") for seed in (10, 0, 1))
    words = [listed, "made-both-seed[01]*", str(runs_dir / "made-both-3-*"), "metric=map_class", FEW, "--json"]
    assert main(["compare", *words, f"runs_dir={runs_dir}"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [group["seeds"] for group in content["groups"]] == [[0, 1, 10], [0, 1, 10], [0]]
    assert content["groups"][0]["name"] == listed
    assert list(content["metrics"]) == ["map_class"]
    means = [group["mean"] for group in content["metrics"]["map_class"]["groups"]]
    run_dirs = [[runs_dir / run_id for run_id in group["run_ids"]] for group in content["groups"]]
    assert means == pytest.approx([mean_map_class(each) for each in run_dirs])
    first, second = content["metrics"]["map_class"]["differences"]
    assert sorted(first["by_class"]) == sorted(CLASS_NAMES)
    assert list(first["by_class"].values()) == sorted(first["by_class"].values(), reverse=True)
    assert first["interval"][0] < first["difference"] < first["interval"][1]
    assert first["holm_p"] >= first["wilcoxon_p"] or second["holm_p"] >= second["wilcoxon_p"]


def test_folders_may_have_any_name(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "lr=0.1 [old]"
    first, second = (make_run(folder, way, 0) for way in ("both", "class"))
    monkeypatch.chdir(tmp_path)
    for name in (
        str(second),
        f"./{second.relative_to(tmp_path)}",
        "made-class-*",
        f"{folder.parent}/lr=*/made-class-*",
    ):
        assert main(["compare", str(first), name, f"runs_dir='{folder}'", FEW]) == 0, name
        assert "#2 minus #1" in capsys.readouterr().out


def test_the_same_command_says_the_same_and_another_seed_draws_anew(runs_dir, capsys):
    said = []
    for extra in ([], [], ["seed=1"]):
        assert main(["compare", "made-class-seed0", "made-class-seed1", f"runs_dir={runs_dir}", FEW, *extra]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["made-both-seed0"], 2, "needs two runs or more"),
        (["made-both-seed0", "made-neither"], 4, "made-neither holds no finished run (no record)"),
        (["made-both-seed0", "neither*"], 4, "neither* matches no run"),
        (["made-both-seed0", "made-both-seed2"], 4, "no finished run (failed)"),
        (["made-both-seed0", "made-both-seed*"], 4, "no finished run (failed)"),
        (["made-both-seed0", "made-*-seed1"], 2, "made-both-seed1 has loss.way='both'"),
        (["made-both-seed0", "made-both-seed0,made-both-3-seed0"], 2, "made-both-3-seed0 has epochs=3"),
        (["made-both-seed0", "made-both-seed1,made-both-seed1"], 2, "seed 1 is in it twice"),
        (["made-both-seed0", "made-both-seed1", "metric=map"], 2, "expected one of map_class, map_sample, both"),
        (["made-both-seed0", "made-both-seed1", "resample=9"], 2, "did you mean resamples?"),
        (["made-both-seed0", "made-both-seed1", "resamples=0"], 2, "expected a number of at least 1"),
        (["made-both-seed0", "made-both-seed1", "seed=1,2"], 2, "takes one value for each key"),
        (["made-both-seed0", "made-both-seed1", "--yaml"], 2, "unknown option --yaml"),
    ],
)
def test_what_cannot_be_compared_is_told(runs_dir, words, exit_code, message, capsys):
    assert main(["compare", *words, f"runs_dir={runs_dir}"]) == exit_code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) <= 3


def test_runs_that_were_trained_on_other_data_are_no_group(tmp_path, capsys):
    first, second = (make_run(tmp_path, "both", seed, trained_on=f"data {seed}") for seed in (0, 1))
    assert main(["compare", str(first), f"{first},{second}", FEW]) == 2
    assert "fingerprint of the training data=data 1" in capsys.readouterr().err
    assert main(["compare", str(first), str(second), FEW]) == 0


def test_two_runs_of_one_seed_are_no_group(tmp_path, capsys):
    first = make_run(tmp_path, "both", 0)
    runs = [make_run(tmp_path / folder, "class", 1) for folder in ("here", "there")]
    assert main(["compare", str(first), ",".join(map(str, runs)), FEW]) == 2
    error = capsys.readouterr().err
    assert "seed 1 is in it twice" in error
    assert all(run.name in error for run in runs)
    assert len(error.splitlines()) <= 3


@pytest.mark.parametrize(
    ("weights", "differing"), [("other.pt", "the content of backbone.weights="), (None, "backbone.pretrained=None")]
)
def test_runs_from_other_weights_are_no_group(tmp_path, capsys, weights, differing):
    first, second = make_run(tmp_path, "both", 0, weights=weights), make_run(tmp_path, "both", 1, weights="one.pt")
    assert main(["compare", str(first), f"{first},{second}", FEW]) == 2
    assert f"made-both-one.pt-seed1 has {differing}" in capsys.readouterr().err


def test_runs_that_were_scored_on_other_images_are_not_compared_though_labels_are_the_same(tmp_path, capsys):
    first = make_run(tmp_path, "both", 0)
    other = make_run(tmp_path, "class", 0, scored_on="other images")
    assert main(["compare", str(first), str(other)]) == 2
    error = capsys.readouterr().err
    assert "made-class-seed0 and made-both-seed0 cannot be compared" in error
    assert "other images and some" in error
    assert len(error.splitlines()) <= 3


def test_resamples_that_all_lack_the_only_positive_are_told(tmp_path, capsys):
    targets = np.zeros((30, 4), np.int8)
    targets[0, 0] = POSITIVE
    first, second = (make_run(tmp_path, way, 0, targets=targets) for way in ("both", "class"))
    words = ["compare", str(first), str(second)]
    assert main([*words, "resamples=1", "seed=2"]) == 2
    assert "no resample of the test samples has a positive label" in capsys.readouterr().err
    assert main([*words, FEW]) == 0


def test_scores_that_were_changed_are_not_compared(tmp_path, capsys):
    first, second = (make_run(tmp_path, "both", seed) for seed in (0, 1))
    (second / "scores.npz").write_bytes((first / "scores.npz").read_bytes())
    assert main(["compare", str(first), str(second)]) == 4
    assert "another SHA-256" in capsys.readouterr().err


def test_help_needs_no_runs(capsys):
    assert main(["compare", "--help"]) == 0
    assert "usage: margin-bench compare FIRST OTHER" in capsys.readouterr().out


def test_torch_is_not_imported(runs_dir):
    code = """
import sys
from margin_bench.cli import main
assert main(["compare", *sys.argv[1:]]) == 0
assert not {"torch", "sklearn", "matplotlib"} & sys.modules.keys()
"""
    words = ["made-both-seed0", "made-class-seed0", f"runs_dir={runs_dir}", FEW]
    subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.DEVNULL)


def test_the_shell_completes_ids_of_runs(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "runs", "both", 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_LINE", "margin-bench compare made")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out.split() == ["made-both-seed0"]
