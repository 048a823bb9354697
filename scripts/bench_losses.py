"""Time forward and backward of every loss beside a public one, in float32 on the CPU, in one process.

Ours start from int8 targets. The public loss is timed twice: with targets that are made ready beforehand, as it takes
them, and with these made from the same int8 targets in every step ("from int8"). No target is unlabeled, as the public
losses do not know that.

python scripts/bench_losses.py --threads 2
python scripts/bench_losses.py --losses asl focal
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import timm.loss
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from margin_bench.commands.losses import entries
from margin_bench.config.build import build, takes
from margin_bench.config.sources import Sources, configs_dir, register_resolvers
from margin_bench.targets import NEGATIVE, POSITIVE, class_frequencies, positives

SHAPES = ((128, 80), (512, 620), (512, 9605))
BURST = 5  # runs in a row, as the first after the other loss meets its caches

Loss = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[], None]


def of_probabilities(loss: Loss) -> Loss:
    """Return the loss of the probabilities."""
    return lambda logits, targets: loss(logits.sigmoid(), targets)


def torchvision_focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Return torchvision's focal loss with the parameters of ours."""
    loss: Tensor = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=2, reduction="mean")
    return loss


def as_is(targets: Tensor) -> Tensor:
    """Return the targets themselves."""
    return targets


def signs(targets: Tensor) -> Tensor:
    """Return +1 for a positive and -1 for a negative."""
    return 2 * targets.float() - 1


def shares(targets: Tensor) -> Tensor:
    """Return the targets of each row, divided by their sum."""
    return targets / targets.sum(1, keepdim=True).clamp(min=1)


def index(targets: Tensor) -> Tensor:
    """Return the class of the positive of each row."""
    return targets.argmax(1)


def padded_indices(targets: Tensor) -> Tensor:
    """Return the classes of the positives, closed by -1, as MultiLabelMarginLoss takes them."""
    columns = torch.arange(targets.shape[1]).expand(targets.shape)
    is_positive = positives(targets)
    order = torch.argsort(~is_positive, dim=1, stable=True)
    return torch.where(is_positive, columns, -1).gather(1, order)


def weighted_bce(frequencies: Tensor) -> nn.Module:
    """Return PyTorch's binary cross-entropy with weights from class frequencies (2, C)."""
    num_positives, num_negatives = frequencies.float().clamp(min=1)
    return nn.BCEWithLogitsLoss(weight=num_positives, pos_weight=num_negatives / num_positives)


def timm_distribution_balanced(frequencies: Tensor) -> nn.Module:
    """Return timm's distribution-balanced loss for class frequencies (2, C)."""
    return timm.loss.DistributionBalancedLoss(frequencies[0], num_samples=int(frequencies[:, 0].sum()))


@dataclass(frozen=True)
class Peer:
    """A public loss.

    Attributes:
        name: stands in the table.
        make: from class frequencies (2, C) to the loss.
        targets: from our targets, int8 (M, C) without an unlabeled entry, to its own.
        way: the way of ours that is the same criterion; None if ours has no way.
        single_label: whether it takes one positive for each sample. Ours is then given such targets too.
    """

    name: str
    make: Callable[[Tensor], Loss]
    targets: Callable[[Tensor], Tensor] = Tensor.float
    way: str | None = None
    single_label: bool = False


PEERS: dict[str, tuple[Peer, ...]] = {
    "twoway": (Peer("timm", lambda _: timm.loss.TwoWayLoss(), way="both"),),
    "zlpr": (Peer("timm", lambda _: timm.loss.ZlprLoss(), way="sample"),),
    "softmax": (Peer("torch CrossEntropy", lambda _: nn.CrossEntropyLoss(), shares, "sample"),),
    "ranking_hinge": (Peer("torch MultiLabelMargin", lambda _: nn.MultiLabelMarginLoss(), padded_indices, "sample"),),
    "weston_watkins": (Peer("torch MultiMargin", lambda _: nn.MultiMarginLoss(), index, "sample", single_label=True),),
    "bce": (
        Peer("torch MultiLabelSoftMargin", lambda _: nn.MultiLabelSoftMarginLoss()),
        Peer("torch BCEWithLogits", lambda _: nn.BCEWithLogitsLoss()),
    ),
    "soft_margin": (Peer("torch SoftMargin", lambda _: nn.SoftMarginLoss(), signs),),
    "bce_weighted": (Peer("torch BCEWithLogits", weighted_bce),),
    "focal": (Peer("torchvision", lambda _: torchvision_focal),),
    "asl": (Peer("timm", lambda _: timm.loss.AsymmetricLossMultiLabel(4, 0, 0.05)),),
    "poly": (Peer("timm", lambda _: timm.loss.PolyBinaryCrossEntropy(2)),),
    "distribution_balanced": (Peer("timm", timm_distribution_balanced),),
    "l1": (Peer("torch L1 of sigmoid", lambda _: of_probabilities(F.l1_loss)),),
    "brier": (Peer("torch MSE of sigmoid", lambda _: of_probabilities(F.mse_loss)),),
    "huber": (Peer("torch Huber of sigmoid", lambda _: of_probabilities(nn.HuberLoss(delta=0.5))),),
}


def group(name: str) -> dict[str, Any]:
    """Return the group `loss` of a run with `loss=NAME`."""
    config: Any = OmegaConf.to_container(compose("train", [f"loss={name}"]), resolve=True)
    loss: dict[str, Any] = config["loss"]
    return loss


def make_ours(name: str, way: str | None, frequencies: Tensor) -> Loss:
    """Return our loss, with its defaults and a way."""
    found = group(name)
    more: dict[str, Any] = {"way": way} if way else {}
    if takes(found, "class_frequencies"):
        more["class_frequencies"] = frequencies
    loss: Loss = build(found, **more)
    return loss


def bucket(shape: tuple[int, int], positive_share: float, single_label: bool) -> tuple[Tensor, Tensor]:
    """Return random logits (M, C), and int8 targets with a share of positives."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator)
    is_positive = torch.rand(shape, generator=generator) < positive_share
    if single_label:
        is_positive = F.one_hot(torch.randint(shape[1], shape[:1], generator=generator), shape[1]).bool()
    return logits.requires_grad_(), torch.where(is_positive, POSITIVE, NEGATIVE).to(torch.int8)


def training_step(loss: Loss, logits: Tensor, targets: Tensor, convert: Callable[[Tensor], Tensor] = as_is) -> Step:
    """Return a function that takes one forward and one backward."""

    def step() -> None:
        logits.grad = None
        torch.autograd.backward(loss(logits, convert(targets)))

    return step


def best_of_burst(step: Step) -> float:
    """Return the microseconds of the fastest of BURST steps in a row."""
    times = []
    for _ in range(BURST):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e6)
    return min(times)


def best_times(steps: list[Step], seconds: float) -> list[float]:
    """Return the microseconds of each step, the best of alternating bursts, so that all meet the same load."""
    bursts: list[list[float]] = []
    end = time.perf_counter() + seconds
    while not bursts or time.perf_counter() < end:
        bursts.append([best_of_burst(step) for step in steps])
    return [min(column) for column in zip(*bursts, strict=True)]


def compare(name: str, peer: Peer | None, shape: tuple[int, int], arguments: argparse.Namespace) -> str:
    """Return a row of the table."""
    logits, targets = bucket(shape, arguments.positives, peer is not None and peer.single_label)
    frequencies = torch.from_numpy(class_frequencies(targets.numpy()))
    ours = make_ours(name, peer.way if peer else None, frequencies)
    steps = [training_step(ours, logits, targets)]
    if peer:
        theirs = peer.make(frequencies)
        steps.append(training_step(theirs, logits, peer.targets(targets)))
        steps.append(training_step(theirs, logits, targets, peer.targets))
    own, *others = best_times(steps, arguments.seconds)
    columns = "".join(f"{time:12.0f}{time / own:8.2f}" for time in others)
    return f"{name:<24}{peer.name if peer else '':<28}{shape!s:>12}{own:12.0f}{columns}"


def main() -> None:
    """Print the table of the losses and shapes that are asked for."""
    names = [entry.name for entry in entries(Sources()) if entry.kind != "own"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="for each row, at least (default: %(default)s)")
    parser.add_argument("--positives", type=float, default=0.03, help="share of positives (default: %(default)s)")
    parser.add_argument("--losses", nargs="*", choices=names, default=names, metavar="NAME", help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    register_resolvers()

    columns = f"{'ours, us':>12}{'theirs, us':>12}{'ratio':>8}{'from int8':>12}{'ratio':>8}"
    print(f"{'loss':<24}{'peer':<28}{'shape':>12}{columns}", flush=True)
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        for name in arguments.losses:
            for peer in PEERS.get(name, (None,)):
                for shape in SHAPES:
                    print(compare(name, peer, shape, arguments), flush=True)


if __name__ == "__main__":
    main()
