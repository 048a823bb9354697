"""Metrics by their names: those of the catalogue, and a user's own."""

import sys

import numpy as np
import pytest

from margin_bench.config.schema import metric_names
from margin_bench.errors import ConfigError, DataError
from margin_bench.metrics.catalogue.one_error import one_error
from margin_bench.metrics.named import named_metrics, values_of
from margin_bench.targets import NEGATIVE, POSITIVE

SCORES = np.array([[2.0, 1.0], [1.0, 2.0]])
TARGETS = np.array([[POSITIVE, NEGATIVE], [POSITIVE, NEGATIVE]], np.int8)


@pytest.fixture
def own_metrics(tmp_path, monkeypatch):
    (tmp_path / "own_metrics.py").write_text(
        "def share_of_positives(scores, targets):\n    return (targets == 1).mean()\n"
        "def of_scores_alone(scores):\n    return 0.0\n"
        "def words(scores, targets):\n    return 'many'\n"
        "def undefined(scores, targets):\n    raise ValueError('needs three classes')\n"
        "def endless(scores, targets):\n    return 10**400\n"
        "def sorting(scores, targets):\n    scores.sort(1)\n    return 0.0\n"
        "def erasing(scores, targets):\n    targets[:] = 0\n    return 0.0\n"
        "def failing(scores, targets):\n    return scores.none\n"
        "LIMIT = 3\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_metrics", None)


@pytest.mark.parametrize("names", ["one_error", ["one_error"], ["one_error", "one_error"]])
def test_a_name_alone_is_a_list_of_one(names):
    assert named_metrics(names) == {"one_error": one_error}


def test_all_is_the_whole_catalogue_and_more_may_stand_beside_it(own_metrics):
    assert list(named_metrics("all")) == metric_names()
    own = "own_metrics.share_of_positives"
    assert list(named_metrics(["all", own, "one_error"])) == [*metric_names(), own]


@pytest.mark.parametrize("names", [None, []])
def test_without_names_there_is_none(names):
    assert values_of(named_metrics(names), SCORES, TARGETS) == {}


def test_values_stand_in_the_order_of_the_names(own_metrics):
    names = ["own_metrics.share_of_positives", "one_error"]
    assert list(values_of(named_metrics(names), SCORES, TARGETS).items()) == [(names[0], 0.5), (names[1], 0.5)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_package_of_mine.metric", "cannot be imported: No module named 'no_package_of_mine'"),
        ("own_metrics.none", "cannot be imported: module 'own_metrics' has no attribute 'none'"),
        ("own_metrics..x", "cannot be imported"),
        ("own_metrics.LIMIT", "expected own_metrics.LIMIT to be a function of scores and targets"),
        ("os.path", "expected os.path to be a function of scores and targets"),
        ("own_metrics.of_scores_alone", "to be a function of scores and targets: too many positional arguments"),
    ],
)
def test_what_is_no_function_of_scores_and_targets_is_refused(own_metrics, name, said):
    with pytest.raises(ConfigError, match=r"^metric\.names") as refused:
        named_metrics([name])
    assert said in str(refused.value)


def test_a_metric_that_returns_no_number_is_refused(own_metrics):
    with pytest.raises(ConfigError, match=r"expected a number from own_metrics\.words, got 'many'"):
        values_of(named_metrics("own_metrics.words"), SCORES, TARGETS)


def test_a_metric_that_is_not_defined_says_why(own_metrics):
    with pytest.raises(DataError, match=r"own_metrics\.undefined: needs three classes"):
        values_of(named_metrics("own_metrics.undefined"), SCORES, TARGETS)


def test_a_metric_that_returns_a_number_too_large_is_refused(own_metrics):
    with pytest.raises(ConfigError, match=r"expected a number from own_metrics\.endless, got 10000+\.\.\.0+$"):
        values_of(named_metrics("own_metrics.endless"), SCORES, TARGETS)


@pytest.mark.parametrize("name", ["own_metrics.sorting", "own_metrics.erasing"])
def test_a_metric_that_works_in_place_is_refused_and_what_it_was_given_stays(own_metrics, name):
    scores, targets = SCORES.copy(), TARGETS.copy()
    with pytest.raises(ConfigError, match=rf"{name} works in place on what it is given; take a copy"):
        values_of(named_metrics(name), scores, targets)
    assert (scores == SCORES).all()
    assert (targets == TARGETS).all()
    assert scores.flags.writeable


def test_a_metric_that_fails_is_named_beside_its_own_traceback(own_metrics):
    with pytest.raises(AttributeError, match="none") as failed:
        values_of(named_metrics("own_metrics.failing"), SCORES, TARGETS)
    assert failed.value.__notes__ == ["metric.names: own_metrics.failing failed"]
