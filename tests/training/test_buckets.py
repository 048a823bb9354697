"""One optimiser step of a configuration is the same, however its rows are spread."""

import subprocess

import pytest
import torch

from margin_bench.losses import TwoWayLoss
from margin_bench.training.buckets import BatchLayout
from margin_bench.training.diagnostics import STATISTICS
from tests.helpers import one_step
from tests.helpers.tiny_run import torchrun


def steps_of(num_processes, folder):
    """Return the weights after one step of every layout, computed by so many real processes."""
    output = folder / "steps.pt"
    subprocess.run([*torchrun(num_processes), one_step.__file__, str(output)], check=True, timeout=300)
    return torch.load(output, weights_only=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return steps_of(1, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module", params=[1, 2, 4])
def steps(request, alone, tmp_path_factory):
    return alone if request.param == 1 else steps_of(request.param, tmp_path_factory.mktemp("together"))


def assert_same(state, expected, rtol=1e-6):
    for name, tensor in expected.items():
        error = (state[name].double() - tensor.double()).norm()
        assert error <= rtol * tensor.double().norm(), f"{name} is off by {error:.1e}"


@pytest.mark.parametrize("bucket_size", [64, 128, 512])
def test_a_step_is_that_of_the_whole_batch_in_one_graph(steps, bucket_size):
    model = one_step.make_model(norm=None)
    images, targets = one_step.make_batch()
    logits, loss = model(images), TwoWayLoss()
    buckets = [slice(first, first + bucket_size) for first in range(0, len(images), bucket_size)]
    value = torch.stack([loss(logits[rows], targets[rows]) for rows in buckets]).mean()
    value.backward()
    torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, nesterov=True, weight_decay=1e-4).step()
    for microbatch_size in (32, 128):
        state = steps[f"plain {microbatch_size} {bucket_size}"]
        assert_same(state, model.state_dict())
        loss_sum, num_buckets = state["statistics"][:2]
        assert num_buckets == len(buckets)
        torch.testing.assert_close(loss_sum / num_buckets, value.detach(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", ["frozen", "train", "sometimes"])
@pytest.mark.parametrize(("microbatch_size", "bucket_size"), one_step.LAYOUTS)
def test_a_step_with_batch_norm_is_that_of_one_process_with_the_same_microbatch(
    steps, alone, microbatch_size, bucket_size, mode
):
    layout = f"{mode} {microbatch_size} {bucket_size}"
    assert_same(steps[layout], alone[layout])


@pytest.mark.parametrize("bucket_size", [64, 128, 512])
def test_with_frozen_batch_norm_and_without_dropout_the_microbatch_does_not_matter(steps, bucket_size):
    expected = steps[f"frozen 128 {bucket_size}"]
    assert_same(steps[f"frozen 32 {bucket_size}"], expected)


def test_statistics_count_each_sample_and_each_class_of_a_bucket_once(steps):
    _, targets = one_step.make_batch()
    for bucket_size in (64, 128, 512):
        counts = dict(zip(STATISTICS, steps[f"plain 32 {bucket_size}"]["statistics"].tolist(), strict=True))
        has_both = (targets == 1).any(1) & (targets == 0).any(1)
        assert counts["num_samples"] == has_both.sum()
        assert counts["num_classes"] == 512 / bucket_size * one_step.NUM_CLASSES
        assert 0 < counts["violating_samples"] <= counts["num_samples"]


def test_two_passes_are_made_only_where_a_bucket_spans_microbatches_of_one_process():
    assert not BatchLayout(512, 128, 128).needs_two_passes
    assert not BatchLayout(512, 64, 128).needs_two_passes
    assert BatchLayout(512, 512, 128).needs_two_passes
    assert BatchLayout(512, 128, 32).needs_two_passes
    assert not BatchLayout(512, 512, 128, rank=1, world_size=4).needs_two_passes
    assert BatchLayout(512, 512, 128, rank=1, world_size=4).crosses_processes
