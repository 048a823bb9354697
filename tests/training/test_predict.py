"""Scoring a split: each image once, in its place, and stoppable."""

import numpy as np
import pytest
import torch
from torch import nn

from margin_bench.data.loading import test_loader as make_test_loader
from margin_bench.data.scenes import Scenes
from margin_bench.data.split import Split
from margin_bench.errors import DivergedError
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World
from margin_bench.training.predict import predict, score

NUM_SAMPLES = 7


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_SAMPLES, 4, 4, 3), dtype=np.uint8)
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 1, -1], [1, -1, 0], [0, 1, 0]], np.int8)
    return Split(images, targets, ("a", "b", "c"))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(48, 3)).train()


def scores_of(model, split, batch_size, stop=None):
    batches = make_test_loader(
        split, Scenes(), batch_size=batch_size, rank=0, world_size=1, workers=0, pin_memory=False
    )
    return predict(model, batches, split.targets.shape, batch_size, World(), stop or StopRequest())


def test_each_image_is_scored_once_in_its_place_whatever_the_batch(model, split):
    together = scores_of(model, split, NUM_SAMPLES)
    assert together.shape == (NUM_SAMPLES, 3)
    assert together.dtype == np.float32
    np.testing.assert_allclose(scores_of(model, split, 3), together, rtol=1e-5)


def test_a_stop_on_the_way_gives_no_scores(model, split):
    stop = StopRequest()
    stop.exit_code = 75
    assert scores_of(model, split, 3, stop) is None


def test_what_has_no_positive_is_left_out_and_counted(split):
    scores = np.where(split.targets == 1, 1.0, 0.0).astype(np.float32)
    metrics = score(scores, split).metrics
    assert metrics == {"map_class": 1.0, "map_sample": 1.0, "classes_left_out": 1, "samples_left_out": 1}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_cannot_be_ranked_are_refused(split, value):
    scores = np.zeros(split.targets.shape, np.float32)
    scores[3, 1] = value
    with pytest.raises(DivergedError, match=r"Lower optim.head_lr"):
        score(scores, split)
