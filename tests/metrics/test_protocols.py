"""The conventions of published numbers, held against scikit-learn and against loops that can be read."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score

from margin_bench.config import schema as config
from margin_bench.config.schema import PAPER
from margin_bench.metrics.protocols import PROTOCOLS, metrics_by, report
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from tests.helpers.rankings import LABELED, has_positive, rankings


def interpolated(scores, targets):
    """For every positive the highest precision at a threshold that recalls it; then the mean. NaN without positives."""
    highest = []
    for own in scores[targets == POSITIVE]:
        precisions = []
        for threshold in scores[scores <= own]:
            retrieved = targets[(scores >= threshold) & (targets != UNLABELED)]
            precisions.append((retrieved == POSITIVE).mean() if len(retrieved) else 0)
        highest.append(max(precisions))
    return np.mean(highest) if highest else np.nan


@given(rankings().filter(has_positive))
def test_interpolated_agrees_with_its_definition(ranking):
    scores, targets = ranking
    metrics = metrics_by(scores, targets, "interpolated")
    per_class = [interpolated(*column) for column in zip(scores.T, targets.T, strict=True)]
    per_sample = [interpolated(*row) for row in zip(scores, targets, strict=True)]
    assert metrics["map_class"] == pytest.approx(np.nanmean(per_class), abs=1e-12)
    assert metrics["map_sample"] == pytest.approx(np.nanmean(per_sample), abs=1e-12)
    assert metrics["classes_left_out"] == np.isnan(per_class).sum()


@pytest.mark.filterwarnings("ignore:No positive class found")
@given(rankings(LABELED).filter(has_positive))
def test_sklearn_agrees_with_its_macro_average(ranking):
    scores, targets = ranking
    metrics = metrics_by(scores, targets, "sklearn")
    # In columns one by one: scikit-learn takes a matrix of one column for a single ranking.
    of_classes = [average_precision_score(*column) for column in zip(targets.T, scores.T, strict=True)]
    of_samples = [average_precision_score(*row) for row in zip(targets, scores, strict=True)]
    assert metrics["map_class"] == pytest.approx(np.mean(of_classes), abs=1e-12)
    assert metrics["map_sample"] == pytest.approx(np.mean(of_samples), abs=1e-12)
    assert metrics["classes_left_out"] == metrics["samples_left_out"] == 0


def test_the_protocols_by_hand():
    """Class 0: positives at ranks 1, 3, 4 of 4: (1 + 2/3 + 3/4) / 3 = 29/36, interpolated (1 + 3/4 + 3/4) / 3 = 5/6.

    Class 1 has no positive.
    """
    scores = np.array([[4.0, 0.0], [3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    targets = np.array([[POSITIVE, NEGATIVE], [NEGATIVE] * 2, [POSITIVE, NEGATIVE], [POSITIVE, NEGATIVE]], np.int8)
    found = {name: metrics_by(scores, targets, name)["map_class"] for name in PROTOCOLS}
    assert found == pytest.approx({"paper": 29 / 36, "sklearn": 29 / 72, "interpolated": 5 / 6})


def test_the_report_names_the_protocol_or_has_them_all():
    scores, targets = (
        np.array([[2.0, 1.0], [1.0, 0.0]]),
        np.array([[POSITIVE, NEGATIVE], [NEGATIVE, NEGATIVE]], np.int8),
    )
    assert report(scores, targets, PAPER, "here", {}) == (
        "mAP@class 100.00   mAP@sample 100.00   (without a positive and left out: 1 class and 1 sample)   "
        "(paper protocol, here)"
    )
    place, *lines = report(scores, targets, "all", "here", {}).splitlines()
    assert place == "here"
    assert "sklearn       mAP@class 50.00   mAP@sample 50.00" in lines[1]


def test_other_metrics_stand_below():
    scores, targets = np.array([[2.0, 1.0]]), np.array([[POSITIVE, POSITIVE]], np.int8)
    others = {"one_error": 0.0, "my_package.long": 12.34567}
    for protocol in (PAPER, "all"):
        lines = report(scores, targets, protocol, "here", others).splitlines()
        assert lines[-2:] == ["  one_error        0.0000", "  my_package.long  12.3457"]


def test_the_configuration_knows_every_protocol():
    assert tuple(PROTOCOLS) == config.PROTOCOLS
