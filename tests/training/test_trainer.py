"""An epoch of training: what moves, what does not, and where it may stop."""

import copy
import signal

import pytest
import torch
from torch import nn

from margin_bench.data.loading import TrainSampler
from margin_bench.errors import CheckpointError, RunError
from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World
from margin_bench.training.buckets import BatchLayout
from margin_bench.training.optim import build_optimizer, lr_at
from margin_bench.training.progress import Progress
from margin_bench.training.trainer import Trainer

STEPS = 4


class Batches:
    """Microbatches of 8 rows that follow the sampler, as a loader's do."""

    def __init__(self, sampler):
        self.sampler = sampler

    def __iter__(self):
        for rows in self.sampler:
            generator = torch.Generator().manual_seed(int(rows.indices[0]))
            images = torch.randn(len(rows.indices), 3, 8, 8, generator=generator)
            yield images, (torch.rand(len(rows.indices), 5, generator=generator) < 0.3).to(torch.int8)


def make_trainer(loss=None, lr=0.1, precision="fp32"):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Flatten(), nn.Linear(144, 5))
    sampler = TrainSampler(num_samples=64, seed=0, batch_size=16, microbatch_size=8, rank=0, world_size=1)
    optimizer = build_optimizer(
        model,
        model[4].parameters(),
        head_lr=lr,
        backbone_lr=lr,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
        fused=precision != "fp16",
    )
    return Trainer(
        model=model,
        optimizer=optimizer,
        loss=loss or TwoWayLoss(),
        batches=Batches(sampler),
        sampler=sampler,
        layout=BatchLayout(16, 16, 8),
        world=World(),
        precision=precision,
        seed=0,
        epochs=2,
        steps_per_epoch=STEPS,
    )


def quiet():
    return Progress(2, STEPS, stream=None)


class Terminated(Progress):
    """Receives a signal as soon as a step is done."""

    def __init__(self, stop):
        super().__init__(2, STEPS, stream=None)
        self.stop = stop

    def step(self, **told):
        super().step(**told)
        self.stop.receive(signal.SIGTERM, None)


def train_until_stopped(trainer):
    stop = StopRequest()
    return trainer.train_epoch(stop, Terminated(stop))


def test_a_stop_at_a_step_boundary_loses_nothing():
    unbroken, broken = make_trainer(), make_trainer()
    assert unbroken.train_epoch(StopRequest(), quiet()) == 0
    assert train_until_stopped(broken) == 75
    assert 0 < broken.run_state.step < STEPS
    resumed = make_trainer()
    resumed.load_state(copy.deepcopy(broken.state()))
    assert resumed.train_epoch(StopRequest(), quiet()) == 0
    assert resumed.summary() == unbroken.summary()
    for name, tensor in unbroken.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor), name


def test_the_rate_follows_the_cosine_over_all_epochs():
    trainer = make_trainer()
    for epoch in range(2):
        trainer.train_epoch(StopRequest(), quiet())
        expected = lr_at(epoch * STEPS + STEPS - 1, 2 * STEPS, 0.1)
        assert [group["lr"] for group in trainer.optimizer.param_groups] == [pytest.approx(expected)] * 2
        trainer.run_state.finish_epoch(trainer.summary())
    assert trainer.run_state.epoch == 2


def test_the_summary_is_of_the_steps_of_this_epoch_alone():
    trainer = make_trainer()
    trainer.train_epoch(StopRequest(), quiet())
    first = trainer.summary()
    trainer.run_state.finish_epoch(first)
    trainer.train_epoch(StopRequest(), quiet())
    second = trainer.summary()
    assert second["loss"] < first["loss"]
    assert trainer.run_state.statistics[1] == STEPS


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_makes_no_update(value):
    trainer = make_trainer(loss=lambda logits, targets: logits.sum() * value)
    before = copy.deepcopy(dict(trainer.model.named_parameters()))
    with pytest.raises(RunError, match="epoch 1, step 1; the update was not made"):
        trainer.train_epoch(StopRequest(), quiet())
    assert all(torch.equal(before[name], parameter) for name, parameter in trainer.model.named_parameters())


def test_weights_that_are_not_finite_are_noticed():
    trainer = make_trainer()
    trainer.check_finite()
    with torch.no_grad():
        trainer.model[4].bias[0] = float("nan")
    with pytest.raises(RunError):
        trainer.check_finite()


def test_half_precision_trains_as_single_does():
    half, single = make_trainer(precision="fp16"), make_trainer()
    half.scaler.update(2.0**8)
    assert half.train_epoch(StopRequest(), quiet()) == single.train_epoch(StopRequest(), quiet()) == 0
    assert half.scaler.get_scale() == 2**8
    assert half.summary()["loss"] == pytest.approx(single.summary()["loss"], rel=1e-2)


def test_half_precision_goes_on_with_its_scale():
    broken = make_trainer(precision="fp16")
    broken.scaler.update(8.0)
    resumed = make_trainer(precision="fp16")
    resumed.load_state(copy.deepcopy(broken.state()))
    assert resumed.scaler.get_scale() == 8.0


def test_a_gradient_that_overflows_in_half_precision_lowers_the_scale_and_moves_nothing():
    trainer = make_trainer(precision="fp16")
    before = copy.deepcopy(list(trainer.model.parameters()))
    trainer.scaler.update(2.0**127)
    assert train_until_stopped(trainer) == 75
    assert trainer.scaler.get_scale() == 2.0 ** (127 - trainer.run_state.step)
    assert all(torch.equal(*pair) for pair in zip(trainer.model.parameters(), before, strict=True))
    trainer.scaler.update(2.0**10)
    assert trainer.train_epoch(StopRequest(), quiet()) == 0
    trainer.check_finite()
    assert max(parameter.abs().max() for parameter in trainer.model.parameters()) < 10


def without(key):
    def change(state):
        del state[key]

    return change


def put(section, key, value):
    def change(state):
        state[section][key] = value

    return change


def other_rate(state):
    state["optimizer"]["param_groups"][0]["initial_lr"] = 7.0


def other_shape(state):
    state["optimizer"]["state"][0]["momentum_buffer"] = torch.zeros(1)


def one_group(state):
    state["optimizer"]["param_groups"].pop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("model"), "it lacks 'model'"),
        (without("optimizer"), "it lacks 'optimizer'"),
        (without("scaler"), "it lacks 'scaler'"),
        (without("run"), "it lacks 'run'"),
        (put("run", "epoch", 10**9), "epoch is 1000000000, of 2"),
        (put("run", "step", 999), "step is 999"),
        (put("model", "more", torch.zeros(1)), "do not fit"),
        (put("optimizer", "param_groups", []), "cannot be one of this run"),
        (other_rate, "the optimiser has another initial_lr"),
        (other_shape, "the optimiser has momentum_buffer of shape"),
        (one_group, "cannot be one of this run"),
    ],
)
def test_a_state_of_another_run_is_refused(change, said):
    trainer = make_trainer()
    train_until_stopped(trainer)
    state = copy.deepcopy(trainer.state())
    change(state)
    with pytest.raises(CheckpointError, match=said):
        make_trainer().load_state(state)
