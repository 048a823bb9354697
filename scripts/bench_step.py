"""Measure a training step of ours beside bare loops over the same net, on images made in memory.

    python scripts/bench_step.py                                a small net and ResNet-50, in one process
    python scripts/bench_step.py --processes 2                  the same in two (gloo), or on two GPUs (nccl)
    python scripts/bench_step.py --nets resnet50 --batch-size 512 --microbatch-size 128      a GPU

The bare loop is what one would write by hand: the forward under autocast, the two-way loss of each microbatch, the
backward, and a fused SGD step every batch, on images that are normalised and on the device already. With several
processes DistributedDataParallel takes the mean of its gradients. Our step starts from uint8 images, and also takes the
gradient through buckets, chains the statistics of batch normalisation, checks the loss, takes figures of margins and
sets the rate. `flat sum` is our step with one all-reduce of all gradients after the backward, instead of during it.

All loops take turns, so that a machine that slows down slows down each. A row is the median over the repeats.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from margin_bench.data.loading import TrainSampler
from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.precision import autocast, resolve_precision
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World, join_world, run_processes
from margin_bench.training.buckets import BatchLayout
from margin_bench.training.models import build_model, head_of, model_inputs
from margin_bench.training.optim import build_optimizer
from margin_bench.training.progress import Progress
from margin_bench.training.run_state import RunState
from margin_bench.training.trainer import Trainer

NUM_CLASSES = 80
NETS = {"test_resnet": ("timm", 64), "resnet50": ("torchvision", 224)}  # library, height and width in pixels
SIZES = {"test_resnet": (128, 32), "resnet50": (16, 4)}  # rows of a batch and of a microbatch on a CPU
GPU_SIZES = (512, 128)


@dataclass(frozen=True)
class Case:
    """A net and its batch, as one process sees them.

    Attributes:
        layout: its buckets are microbatches, as a bare loop has no others.
        steps: of one measurement.
    """

    net: str
    world: World
    layout: BatchLayout
    precision: str
    steps: int

    def title(self) -> str:
        """Say what is measured, and where."""
        library, pixels = NETS[self.net]
        device, threads = self.world.device, torch.get_num_threads()
        machine = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {threads} threads a process"
        return (
            f"{library}'s {self.net}, {pixels} pixels, batch {self.layout.batch_size} in microbatches of "
            f"{self.layout.microbatch_size}, {self.precision}, processes: {self.world.size}, {machine}"
        )


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--batch-size", type=int, help="rows of a step, over all processes")
    parser.add_argument("--microbatch-size", type=int, help="rows of a forward, and of a bucket")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=5, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def make_case(net: str, arguments: argparse.Namespace, world: World) -> Case:
    """Fill in what the command line leaves open."""
    batch_size, microbatch_size = GPU_SIZES if world.device.type == "cuda" else SIZES[net]
    batch_size = arguments.batch_size or batch_size
    microbatch_size = arguments.microbatch_size or microbatch_size
    layout = BatchLayout(batch_size, microbatch_size, microbatch_size, world.rank, world.size)
    return Case(net, world, layout, resolve_precision(arguments.precision), arguments.steps)


def make_microbatches(case: Case) -> list[tuple[Tensor, Tensor]]:
    """Draw the uint8 images and the targets of this process's share of a batch."""
    generator = torch.Generator().manual_seed(case.layout.rank)
    pixels, rows = NETS[case.net][1], case.layout.microbatch_size
    microbatches = []
    for _ in range(case.layout.num_microbatches):
        images = torch.randint(256, (rows, 3, pixels, pixels), dtype=torch.uint8, generator=generator)
        targets = (torch.rand(rows, NUM_CLASSES, generator=generator) < 0.03).to(torch.int8)
        images = images.to(case.world.device, memory_format=torch.channels_last)
        microbatches.append((images, targets.to(case.world.device)))
    return microbatches


def make_model(case: Case) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Build the net from random weights, and its optimiser."""
    torch.manual_seed(0)
    model = build_model(NETS[case.net][0], case.net, NUM_CLASSES).to(case.world.device)
    optimizer = build_optimizer(
        model,
        head_of(model).parameters(),
        head_lr=0.01,
        backbone_lr=0.001,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
    )
    return model, optimizer


def make_trainer(case: Case, world: World) -> Trainer:
    """Build what trains in a run, with an exchange of gradients among the processes of `world`."""
    model, optimizer = make_model(case)
    layout = case.layout
    return Trainer(
        model=model,
        optimizer=optimizer,
        loss=TwoWayLoss(),
        batches=make_microbatches(case) * case.steps,
        sampler=TrainSampler(
            num_samples=layout.batch_size,
            seed=0,
            batch_size=layout.batch_size,
            microbatch_size=layout.microbatch_size,
            rank=layout.rank,
            world_size=layout.world_size,
        ),
        layout=layout,
        world=world,
        precision=case.precision,
        seed=0,
        epochs=1000,
        steps_per_epoch=case.steps,
    )


def make_our_loop(case: Case) -> Callable[[], None]:
    """Return the steps of a run."""
    return epoch_of(make_trainer(case, case.world))


def make_flat_loop(case: Case) -> Callable[[], None]:
    """Return the steps of a run, with one all-reduce of all gradients in place of DistributedDataParallel."""
    trainer = make_trainer(case, World(device=case.world.device))  # so that nothing else sums gradients
    trainer.world = trainer.exchange.world = case.world
    trainer.optimizer.register_step_pre_hook(lambda *_: sum_gradients(trainer.model, case.world))
    return epoch_of(trainer)


def epoch_of(trainer: Trainer) -> Callable[[], None]:
    """Return a function that trains the same epoch whenever it is called."""

    def loop() -> None:
        trainer.run_state = RunState()
        trainer.train_epoch(StopRequest(), Progress(1000, trainer.steps_per_epoch, stream=None))

    return loop


def sum_gradients(model: nn.Module, world: World) -> None:
    """Give every process the sum of all their gradients, as one flat tensor."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    total = world.sum(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(total, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def make_bare_loop(case: Case) -> Callable[[], None]:
    """Return the steps that one would write by hand."""
    model, optimizer = make_model(case)
    device, loss = case.world.device, TwoWayLoss()
    microbatches = [(model_inputs(images, device), targets) for images, targets in make_microbatches(case)]
    model.train()
    replica: nn.Module = DistributedDataParallel(model) if case.world.size > 1 else model

    def loop() -> None:
        for _ in range(case.steps):
            optimizer.zero_grad()
            for number, (images, targets) in enumerate(microbatches, start=1):
                if isinstance(replica, DistributedDataParallel):
                    replica.require_backward_grad_sync = number == len(microbatches)  # as no_sync() sets it
                with autocast(case.precision, device):
                    logits = replica(images)
                torch.autograd.backward(loss(logits.float(), targets) / len(microbatches))
            optimizer.step()

    return loop


def milliseconds(loop: Callable[[], None], case: Case) -> float:
    """Time a step of a loop, from when all processes have come here to when this one has done its work."""
    case.world.wait_for_all()
    wait_for_device(case.world.device)
    started = time.perf_counter()
    loop()
    wait_for_device(case.world.device)
    return 1000 * (time.perf_counter() - started) / case.steps


def wait_for_device(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.type == "cuda":
        torch.accelerator.synchronize(device)


def measure(case: Case, repeats: int) -> dict[str, list[float]]:
    """Time every loop so many times, in turns; the first turn is left out, as it warms up."""
    makers = {"bare loop": make_bare_loop, "margin-bench": make_our_loop}
    if case.world.size > 1:
        makers["flat sum"] = make_flat_loop
    loops = {name: make(case) for name, make in makers.items()}
    turns = [{name: milliseconds(loop, case) for name, loop in loops.items()} for _ in range(repeats + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in loops}


def print_rows(times: dict[str, list[float]]) -> None:
    """Print a row for each loop: the median, its ratio to the bare loop, the span."""
    bare = statistics.median(times["bare loop"])
    for name, values in times.items():
        median = statistics.median(values)
        span = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:<14}{median:9.1f} ms a step   {median / bare:5.3f} of the bare loop   ({span})")


def bench(arguments: argparse.Namespace) -> None:
    """Measure every net in this process, which may be one of several; the first prints."""
    with join_world() as world:
        for net in arguments.nets:
            case = make_case(net, arguments, world)
            times = measure(case, arguments.repeats)
            if world.is_first:
                print(case.title())
                print_rows(times)


if __name__ == "__main__":
    options = parse_arguments()
    run_processes(bench, options, num_processes=options.processes)
