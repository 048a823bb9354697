"""Train an epoch: steps of one batch each, as the protocol of the paper (section 4.1) has them."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_bench.data.loading import TrainSampler
from margin_bench.errors import CheckpointError, DivergedError, EndedBySignal
from margin_bench.runtime.precision import autocast
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World
from margin_bench.training.buckets import BatchLayout, backward_batch
from margin_bench.training.diagnostics import summary
from margin_bench.training.exchange import GradientExchange
from margin_bench.training.models import load_trained, model_inputs
from margin_bench.training.optim import set_rates
from margin_bench.training.progress import Progress
from margin_bench.training.run_state import RunState, run_state_of

SET_BY_THE_RUN = ("initial_lr", "momentum", "dampening", "nesterov", "weight_decay", "maximize", "params")


@dataclass
class Trainer:
    """The parts of a training, and the states that move with it."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[Tensor, Tensor], Tensor]
    batches: Any
    sampler: TrainSampler
    layout: BatchLayout
    world: World
    precision: str
    seed: int
    epochs: int
    steps_per_epoch: int
    measure_every: int = 1  # steps; 0: never
    run_state: RunState = field(default_factory=RunState)

    def __post_init__(self) -> None:
        self.exchange = GradientExchange(self.model, self.world)
        self.scaler = torch.amp.GradScaler(self.world.device.type, enabled=self.precision == "fp16")
        self.scaler.scale(torch.zeros((), device=self.world.device))  # before that it has no scale to give or to change

    def state(self) -> dict[str, Any]:
        """Return all that a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "run": asdict(self.run_state),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to what `state` has returned.

        Raises:
            CheckpointError: it cannot be a state of this run, as the code of a backbone has changed, say.
        """
        try:
            load_trained(self.model, state["model"], "the checkpoint")
            self._check_optimizer_state(state["optimizer"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.run_state = run_state_of(state["run"], self.epochs, self.steps_per_epoch)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError) as error:
            cause = f"it lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
            raise CheckpointError(
                f"the checkpoint cannot be one of this run: {cause}\n"
                "Another version of margin-bench may have written it. Delete the run's folder and run it again."
            ) from error

    def _check_optimizer_state(self, state: dict[str, Any]) -> None:
        """Refuse a state whose rates, factors or shapes are not those of this run; torch would take them over.

        Raises:
            ValueError: names what differs.
        """
        groups = self.optimizer.param_groups
        for own, other in zip(self.optimizer.state_dict()["param_groups"], state["param_groups"], strict=True):
            differing = [name for name in SET_BY_THE_RUN if own[name] != other[name]]
            if differing:
                raise ValueError(f"the optimiser has another {differing[0]}")
        parameters = [parameter for group in groups for parameter in group["params"]]
        for index, entry in state["state"].items():
            for name, value in entry.items():
                if isinstance(value, Tensor) and value.shape != parameters[index].shape:
                    raise ValueError(f"the optimiser has {name} of shape {tuple(value.shape)} for another parameter")

    def train_epoch(self, stop: StopRequest, progress: Progress) -> int:
        """Train to the end of the epoch, or to the step boundary at which a stop is asked for.

        Returns:
            0, or the exit code of the signal that some process has received.

        Raises:
            DivergedError: a loss is not finite; the update is not made.
            LostProcessError: another process of the run ends meanwhile.
        """
        self.model.train()
        self.sampler.start_at(self.run_state.epoch, self.run_state.step)
        batches: Iterator[Any] = iter(self.batches)
        started = time.perf_counter()
        for step in range(self.run_state.step, self.steps_per_epoch):
            microbatches = self._next(batches, stop)
            if microbatches is None:
                return stop.exit_code
            statistics, stop_asked = self._step(step, microbatches, stop)
            self.run_state.step = step + 1
            self.run_state.statistics = [a + b for a, b in zip(self.run_state.statistics, statistics, strict=True)]
            progress.step(
                loss=_mean_loss(self.run_state.statistics),
                learning_rate=self.optimizer.param_groups[0]["lr"],
                num_images=self.layout.batch_size,
            )
            now = time.perf_counter()
            self.run_state.train_seconds += now - started
            started = now
            if stop_asked:
                return self.world.max(stop.exit_code)
        return 0

    def check_finite(self) -> None:
        """Refuse a state that must not be saved.

        Raises:
            DivergedError: a weight or a running statistic is not finite.
        """
        if not torch.stack([tensor.isfinite().all() for tensor in self.model.state_dict().values()]).all():
            raise self._not_finite(math.nan, self.run_state.step - 1)

    def summary(self) -> dict[str, float]:
        """Return what the steps of the epoch have come to so far."""
        return summary(self.run_state.statistics)

    def _next(self, batches: Iterator[Any], stop: StopRequest) -> list[tuple[Tensor, Tensor]] | None:
        """Return the microbatches of a step; None if they do not come and a signal asks for a stop.

        Raises:
            EndedBySignal: so too, but other processes wait for this one, so there is no common step to stop at.
        """
        microbatches = []
        try:
            for _ in range(self.layout.num_microbatches):
                with stop.waiting():
                    microbatches.append(next(batches))
        except EndedBySignal:
            if self.world.size > 1 or stop.is_urgent:
                raise
            return None
        return microbatches

    def _step(
        self, step: int, microbatches: list[tuple[Tensor, Tensor]], stop: StopRequest
    ) -> tuple[list[float], bool]:
        """Make one step; return the STATISTICS of its batch and whether some process is to stop."""
        set_rates(
            self.optimizer, self.run_state.epoch * self.steps_per_epoch + step, self.epochs * self.steps_per_epoch
        )
        self.optimizer.zero_grad()
        device = self.world.device
        statistics = backward_batch(
            self.exchange,
            lambda model, images, number: self._forward(model, images, step, number),
            [(model_inputs(images, device), targets.to(device, non_blocking=True)) for images, targets in microbatches],
            self.loss,
            self.layout,
            gradient_scale=self.scaler.get_scale(),
            measures=self.measure_every > 0 and step % self.measure_every == 0,
        )
        stop_flag = statistics.new_tensor([float(stop.exit_code > 0)])
        *values, stop_asked = self.world.sum(torch.cat([statistics, stop_flag])).tolist()
        if not math.isfinite(values[0]):
            raise self._not_finite(_mean_loss(values), step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return values, stop_asked > 0

    def _forward(self, model: nn.Module, images: Tensor, step: int, number: int) -> Tensor:
        """Return float32 logits. Randomness in the model, as of dropout, follows from the seed and the microbatch."""
        entropy = np.random.SeedSequence(self.seed, spawn_key=(self.run_state.epoch, step, number))
        seed_generators(int(entropy.generate_state(1, np.uint64)[0]), self.world.device)
        with autocast(self.precision, self.world.device):
            logits: Tensor = model(images)
            return logits.float()

    def _not_finite(self, loss: float, step: int) -> DivergedError:
        """Return the error of a step whose loss is not finite."""
        return DivergedError(
            f"the loss is {loss} in epoch {self.run_state.epoch + 1}, step {step + 1}; the update was not made\n"
            "and the last checkpoint is kept. Lower optim.head_lr and optim.backbone_lr, or take precision=fp32."
        )


def _mean_loss(statistics: list[float]) -> float:
    """Return the mean over buckets."""
    return statistics[0] / statistics[1]


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's generators of the CPU and the device.

    `torch.manual_seed` does so too, but takes milliseconds without a GPU, to note the seed for one that might come.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
