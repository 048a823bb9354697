"""Gradients summed over processes: those of one process, whatever is used, and no process blamed for another."""

import itertools
import subprocess

import pytest
import torch
import torch.distributed as dist
from torch import nn

from margin_bench.errors import ConfigError
from margin_bench.runtime.world import World
from margin_bench.training.exchange import GradientExchange
from tests.helpers import exchanged
from tests.helpers.tiny_run import torchrun

NUM_PROCESSES = 3  # of two, a + b = b + a would hide the order of summation


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    path = tmp_path_factory.mktemp("exchanged") / "weights.pt"
    subprocess.run([*torchrun(NUM_PROCESSES), exchanged.__file__, str(path)], check=True, timeout=300)
    return path


@pytest.fixture(scope="module")
def weights(output):
    return torch.load(output, weights_only=True)


@pytest.mark.parametrize("resumed", ["once", "every step"])
def test_the_bits_do_not_depend_on_where_a_run_was_resumed(weights, resumed):
    for name, tensor in weights["never"].items():
        assert torch.equal(weights[resumed][name], tensor), name


@pytest.mark.parametrize(("way", "bucket_size"), [("never", 4), ("two passes", 24)])
def test_parameters_that_some_microbatches_do_not_use_learn_as_in_one_process(weights, way, bucket_size):
    alone = exchanged.trained(World(), bucket_size, itertools.repeat(False))
    for name, tensor in alone.items():
        error = (weights[way][name].double() - tensor.double()).norm()
        assert error <= 1e-6 * tensor.double().norm(), f"{name} is off by {error:.1e}"


def test_parameters_without_a_gradient_stay_as_they_were(weights):
    torch.manual_seed(0)
    for name, tensor in exchanged.Net().state_dict().items():
        assert torch.equal(weights["never"][name], tensor) == name.startswith(("unused", "frozen")), name


def test_a_backward_that_fails_is_told_as_such_and_by_the_others_as_a_lost_process(output):
    said = [output.with_suffix(f".{rank}").read_text(encoding="utf-8") for rank in range(NUM_PROCESSES)]
    assert said[1].startswith("RuntimeError: a mistake in the model")
    for rank in (0, 2):
        assert said[rank].startswith("LostProcessError: the other processes of the run do not answer")
    assert all(text.endswith("nothing is left\n") for text in said)


@pytest.fixture
def group_of_one(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_what_fails_in_this_process_alone_is_not_told_as_a_lost_process():
    frozen = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(RuntimeError, match="doesn't have any parameter that requires a gradient"):
        GradientExchange(frozen, World(size=2))


def test_a_model_that_is_not_that_of_the_first_process_is_refused():
    class AfterAnother(World):
        def from_first(self, value):
            return value[:-1]

    with pytest.raises(ConfigError, match="Linear has other parameters or buffers in process 1 than in the first"):
        GradientExchange(nn.Linear(2, 2), AfterAnother(rank=1, size=2))
