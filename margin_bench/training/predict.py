"""Scoring a split: every image once, on any number of processes, in float32."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from margin_bench.data.loading import rank_share
from margin_bench.data.split import Split
from margin_bench.errors import DivergedError
from margin_bench.metrics.protocols import metrics_by
from margin_bench.runtime.signals import StopRequest
from margin_bench.runtime.world import World
from margin_bench.training.models import model_inputs


@dataclass(frozen=True)
class Evaluation:
    """The scores of a split and what they are worth.

    Attributes:
        scores: float32 (N, C), the logits.
        metrics: `map_class`, `map_sample` in 0..1, and how many classes and samples had no positive and were left out.
    """

    scores: NDArray[np.float32]
    metrics: dict[str, float | int]


def score(scores: NDArray[np.float32], split: Split) -> Evaluation:
    """Both metrics (eq. 23, 24) of scores (N, C).

    Raises:
        DivergedError: a score is not finite.
    """
    check_finite(scores)
    return Evaluation(scores, metrics_by(scores, split.targets))


def check_finite(scores: NDArray[np.float32]) -> None:
    """Refuses scores that cannot be ranked.

    Raises:
        DivergedError: one is not finite.
    """
    if not np.isfinite(scores).all():
        raise DivergedError(
            "the scores are not finite: the model has diverged. Lower optim.head_lr and optim.backbone_lr."
        )


def predict(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    shape: tuple[int, ...],
    batch_size: int,
    world: World,
    stop: StopRequest,
) -> NDArray[np.float32] | None:
    """The scores of a split, the same on every process; None if a stop was asked for on the way.

    Args:
        shape: (N, C), of the scores.
        batches: this process's share of the split, as `data.loading.test_loader` gives it in batches of `batch_size`.
    """
    num_samples, num_classes = shape
    shares = [len(rank_share(num_samples, rank, world.size)) for rank in range(world.size)]
    model.eval()
    own = [torch.zeros(0, num_classes, device=world.device)]
    iterator = iter(batches)
    with torch.inference_mode():
        for first in range(0, max(shares), batch_size):
            if world.max(stop.exit_code):
                return None
            if first < shares[world.rank]:
                own.append(model(model_inputs(next(iterator)[0], world.device)).float())
        gathered = world.gather_rows(_padded(torch.cat(own), max(shares)))
    kept = [rows[:share] for rows, share in zip(torch.split(gathered, max(shares)), shares, strict=True)]
    return torch.cat(kept).cpu().numpy()


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(length - len(rows), rows.shape[1])])
