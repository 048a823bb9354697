"""Running statistics of batch normalisation, in two passes and (in `test_buckets.py`) on several processes."""

import pytest
import torch
from torch import nn

from margin_bench.runtime.world import World
from margin_bench.training.batch_norm import frozen_statistics, merged_statistics


def test_frozen_statistics_stay_while_the_microbatch_is_normalised_by_itself():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    images = 5 + torch.randn(8, 3, 2, 2)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with frozen_statistics(model):
        frozen = model(images)
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())
    assert torch.equal(frozen, model(images))
    assert not torch.equal(before["1.running_mean"], model[1].running_mean)


def test_a_momentum_that_cannot_be_chained_is_refused():
    model = nn.BatchNorm2d(4, momentum=None)
    with pytest.raises(ValueError, match="momentum=None"), merged_statistics(model, World(size=2)):
        pass
