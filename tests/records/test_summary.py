"""The scores of a run in one line."""

from pathlib import Path

import pytest

from margin_bench.records.summary import print_result

METRICS = {"map_class": 0.5, "map_sample": 0.25, "classes_left_out": 0, "samples_left_out": 0}


@pytest.mark.parametrize(("holdout", "split"), [(0.0, "test split"), (0.2, "held-out part of the train split")])
def test_the_scores_stand_with_the_split_and_the_epoch(
    holdout: float, split: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result({"config": {"epochs": 3, "data": {"holdout": holdout}}, "metrics": METRICS}, Path("runs/a"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("mAP@class 50.00   mAP@sample 25.00")
    assert line.endswith(f"({split}, epoch 3 of runs/a)")
