"""A criterion of the user's own."""

import pytest
import torch

from margin_bench.losses import CriterionLoss, MultiSimilarityLoss
from margin_bench.losses.multi_similarity import multi_similarity
from tests.helpers.loops import random_bucket

TEMPERATURES = {"positive_temperature": 2.0, "negative_temperature": 0.5}


@pytest.mark.parametrize("function", [multi_similarity, "margin_bench.losses.multi_similarity.multi_similarity"])
@pytest.mark.parametrize("way", ["sample", "class", "both", "joint"])
def test_a_function_becomes_a_loss_in_any_way(way, function):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = CriterionLoss(function=function, way=way, parameters=TEMPERATURES)
    assert torch.equal(loss(logits, targets), MultiSimilarityLoss(way=way, **TEMPERATURES)(logits, targets))


@pytest.mark.parametrize(
    ("function", "parameters", "message"),
    [
        ("no_such_package.criterion", {}, "cannot be imported"),
        ("margin_bench.losses.nothing", {}, "cannot be imported"),
        (multi_similarity, {"temperature": 1}, "expected \\(logits, targets, dim, \\*\\*parameters\\)"),
        (lambda logits, targets: logits, {}, "too many positional arguments"),
    ],
)
def test_what_is_no_criterion_is_refused(function, parameters, message):
    with pytest.raises(ValueError, match=message):
        CriterionLoss(function=function, parameters=parameters)


def test_repr_shows_the_function_and_its_parameters():
    loss = CriterionLoss(function="margin_bench.losses.multi_similarity.multi_similarity", parameters=TEMPERATURES)
    assert "function=margin_bench.losses.multi_similarity.multi_similarity, way='both'" in repr(loss)
