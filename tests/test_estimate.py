"""The time that missing runs take, from finished ones and from steps."""

import re

from tiny_run import TINY

from margin_bench.estimate import Run, estimate

SIZES = [word for word in TINY if not word.startswith("epochs")]


def run(epochs, dataset="digits", words=("dataset=digits", *SIZES)):
    return Run(f"{dataset}-{epochs}", tuple(words), epochs, (dataset, "test_resnet"))


def finished(seconds, epochs, dataset="digits"):
    config = {"dataset": {"name": dataset}, "backbone": {"name": "test_resnet"}, "epochs": epochs}
    return {"config": config, "durations": {"train_seconds": seconds - 10, "evaluate_seconds": 10}}


def test_finished_runs_tell_the_time_of_an_epoch():
    told = estimate([run(10), run(20)], [finished(120, 4), finished(60, 1), finished(999, 1, "coco")], None)
    # 30 and 60 seconds an epoch, 45 on average, for 30 epochs
    assert told == "about 22 min\njudged by finished runs: test_resnet on digits"


def test_steps_are_timed_once_for_each_data_set_and_backbone(capsys):
    long = 10**6
    told = estimate([run(long), run(2 * long)], [], None)
    assert int(re.match(r"about (\d+) min", told)[1]) > 0
    assert capsys.readouterr().err.count("timing") == 1


def test_a_data_set_that_is_not_there_leaves_the_others_their_time():
    missing = run(2, "coco", ["dataset=coco", "dataset.root=/nowhere", "backbone=digits"])
    told = estimate([missing, run(6)], [finished(60, 1)], None)
    minutes, source, unknown = told.splitlines()
    assert minutes == "about 6 min"
    assert source == "judged by finished runs: test_resnet on digits"
    assert unknown.startswith("unknown: test_resnet on coco: Expected annotations")
