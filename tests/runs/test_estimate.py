"""The time that missing runs take, from finished ones and from steps."""

import re

from margin_bench.config.sources import Sources
from margin_bench.runs.estimate import MissingRun, estimate, group_of, num_passes
from tests.helpers.tiny_run import TINY

SIZES = [word for word in TINY if not word.startswith("epochs")]


def config(epochs, holdout=0.0, **dataset):
    return {
        "dataset": {"name": "digits", "num_train": 8000} | dataset,
        "backbone": {"name": "test_resnet"},
        "data": {"holdout": holdout},
        "epochs": epochs,
    }


def run(epochs, words=("dataset=digits", *SIZES), **changes):
    its_config = config(epochs, **changes)
    return MissingRun(f"run-{epochs}", tuple(words), num_passes(its_config), group_of(its_config))


def finished(seconds, epochs, **changes):
    durations = {"train_seconds": seconds - 10, "evaluate_seconds": 10}
    return {"config": config(epochs, **changes), "durations": durations}


def test_finished_runs_tell_the_time_of_an_epoch():
    told = estimate([run(10), run(20)], [finished(120, 4), finished(60, 1), finished(999, 1, name="coco")], Sources())
    # 30 and 60 seconds an epoch, 45 on average, for 30 epochs
    assert told == "about 22 min\njudged by finished runs: test_resnet on digits"


def test_runs_on_fewer_samples_do_not_tell_the_time_of_runs_on_more():
    told = estimate([run(10)], [finished(20, 4, num_train=256), finished(240, 4)], Sources())
    assert told.splitlines()[0] == "about 10 min"


def test_a_run_that_holds_out_a_part_takes_less():
    told = estimate([run(10, holdout=0.5)], [finished(240, 4), finished(120, 4, holdout=0.5)], Sources())
    assert told.splitlines()[0] == "about 5 min"


def test_steps_are_timed_once_for_each_data_set_and_backbone(capsys):
    long = 10**6
    told = estimate([run(long), run(2 * long)], [], Sources())
    assert int(re.match(r"about (\d+) min", told)[1]) > 0
    assert capsys.readouterr().err.count("timing") == 1


def test_a_data_set_that_is_not_there_leaves_the_others_their_time():
    missing = run(2, ["dataset=coco", "dataset.root=/nowhere", "backbone=digits"], name="coco")
    told = estimate([missing, run(6)], [finished(60, 1)], Sources())
    minutes, source, unknown = told.splitlines()
    assert minutes == "about 6 min"
    assert source == "judged by finished runs: test_resnet on digits"
    assert unknown.startswith("unknown: test_resnet on coco: Expected annotations")
    assert unknown.endswith(".")
    assert "dataset.root" in unknown


def test_the_data_are_looked_for_before_anything_is_timed(capsys):
    missing = run(2, ["dataset=coco", "dataset.root=/nowhere", "backbone=digits"], name="coco")
    estimate([missing], [], Sources())
    assert "timing" not in capsys.readouterr().err
