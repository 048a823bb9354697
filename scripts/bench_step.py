"""Images/s of our training step beside a bare loop over the same model, in one process, on images made in memory.

    python scripts/bench_step.py                       ResNet-50 at 224, batch 512 as 4 x 128 (a GPU)
    python scripts/bench_step.py --backbone test_resnet --library timm --image-size 64     (a CPU)

The bare loop is what one would write by hand for this very case: the forward under autocast, the two-way loss of each
microbatch, the backward, and a fused SGD step every batch, on images that are normalised and on the device already. Our
step starts from uint8 images, and also takes the gradient through buckets, checks the loss, counts margin violations
and sets the rate.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from margin_bench.data.loading import TrainSampler
from margin_bench.losses import TwoWayLoss
from margin_bench.runtime.precision import autocast, resolve_precision
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World, join_world
from margin_bench.training.buckets import BatchLayout
from margin_bench.training.models import build_model, head_of, model_inputs
from margin_bench.training.optim import build_optimizer
from margin_bench.training.progress import Progress
from margin_bench.training.trainer import RunState, Trainer

NUM_CLASSES = 80


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default="torchvision")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--bucket-size", type=int, default=128)
    parser.add_argument("--microbatch-size", type=int, default=128)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=10, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def make_microbatches(arguments: argparse.Namespace, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    shape = (arguments.microbatch_size, 3, arguments.image_size, arguments.image_size)
    microbatches = []
    for _ in range(arguments.batch_size // arguments.microbatch_size):
        images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        targets = (torch.rand(arguments.microbatch_size, NUM_CLASSES, generator=generator) < 0.03).to(torch.int8)
        microbatches.append((images.to(device, memory_format=torch.channels_last), targets.to(device)))
    return microbatches


def make_model(arguments: argparse.Namespace, device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = build_model(arguments.library, arguments.backbone, NUM_CLASSES).to(device)
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


def make_our_loop(arguments: argparse.Namespace, world: World, precision: str) -> Callable[[], None]:
    model, optimizer = make_model(arguments, world.device)
    sizes = {"batch_size": arguments.batch_size, "microbatch_size": arguments.microbatch_size}
    trainer = Trainer(
        model=model,
        optimizer=optimizer,
        loss=TwoWayLoss(),
        batches=make_microbatches(arguments, world.device) * arguments.steps,
        sampler=TrainSampler(num_samples=arguments.batch_size, seed=0, rank=0, world_size=1, **sizes),
        layout=BatchLayout(bucket_size=arguments.bucket_size, **sizes),
        world=world,
        precision=precision,
        seed=0,
        epochs=1000,
        steps_per_epoch=arguments.steps,
    )

    def loop() -> None:
        trainer.run_state = RunState()
        trainer.train_epoch(StopRequest(), Progress(1000, arguments.steps, stream=None))

    return loop


def make_bare_loop(arguments: argparse.Namespace, world: World, precision: str) -> Callable[[], None]:
    model, optimizer = make_model(arguments, world.device)
    loss = TwoWayLoss()
    microbatches = [
        (model_inputs(images, world.device), targets) for images, targets in make_microbatches(arguments, world.device)
    ]
    model.train()

    def loop() -> None:
        for _ in range(arguments.steps):
            optimizer.zero_grad()
            for images, targets in microbatches:
                with autocast(precision, world.device):
                    logits = model(images)
                (loss(logits.float(), targets) / len(microbatches)).backward()
            optimizer.step()

    return loop


def images_per_second(loop: Callable[[], None], num_images: int, device: torch.device) -> float:
    synchronise: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronise()
    started = time.perf_counter()
    loop()
    synchronise()
    return num_images / (time.perf_counter() - started)


def main() -> None:
    arguments = parse_arguments()
    precision = resolve_precision(arguments.precision)
    with join_world() as world:
        loops = {
            "bare loop": make_bare_loop(arguments, world, precision),
            "margin-bench": make_our_loop(arguments, world, precision),
        }
        rates: dict[str, list[float]] = {name: [] for name in loops}
        for repeat in range(arguments.repeats + 1):
            for name, loop in loops.items():
                rate = images_per_second(loop, arguments.steps * arguments.batch_size, world.device)
                if repeat:  # the first is warm-up
                    rates[name].append(rate)
    device = torch.cuda.get_device_name() if world.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{arguments.backbone}, {arguments.image_size} pixels, batch {arguments.batch_size} in microbatches of "
        f"{arguments.microbatch_size}, buckets of {arguments.bucket_size}, {precision}, {device}"
    )
    bare = statistics.median(rates["bare loop"])
    for name, values in rates.items():
        median = statistics.median(values)
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:<14}{median:9.1f} images/s   {median / bare:5.3f} of the bare loop   ({spread})")


if __name__ == "__main__":
    main()
