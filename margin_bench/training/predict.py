"""Score a split: each image once, on any number of processes, in float32."""

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
    """Hold the scores of a split and the metrics of these.

    Attributes:
        scores: float32 (N, C), the logits.
        metrics: `map_class` and `map_sample`, in 0..1; `classes_left_out` and `samples_left_out`, the numbers of those
            that have no positive.
    """

    scores: NDArray[np.float32]
    metrics: dict[str, float | int]


def score(scores: NDArray[np.float32], split: Split) -> Evaluation:
    """Return scores (N, C) with both metrics (eq. 23, 24) on the targets of their split.

    Raises:
        DivergedError: a score is not finite.

    Examples:
        >>> from pathlib import Path
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)
        >>> split = Split([Path("a.jpg"), Path("b.jpg")], targets, ("cat", "dog"))
        >>> score(np.array([[2.0, 1.0], [0.5, 3.0]], np.float32), split).metrics["map_class"]
        1.0
    """
    check_finite(scores)
    return Evaluation(scores, metrics_by(scores, split.targets))


def check_finite(scores: NDArray[np.float32]) -> None:
    """Refuse scores that cannot be ranked.

    Raises:
        DivergedError: a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise DivergedError(
            "the scores are not finite: the model has diverged.\nLower optim.head_lr and optim.backbone_lr."
        )


def predict(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    shape: tuple[int, ...],
    batch_size: int,
    world: World,
    stop: StopRequest,
) -> NDArray[np.float32] | None:
    """Return the scores of a split, float32 (N, C), the same on every process; None if a signal asks for a stop.

    Args:
        model: from images to logits; it is left in the mode for evaluation.
        batches: this process's share of the split, as `data.loading.test_loader` gives it.
        shape: (N, C), of the scores.
        batch_size: the rows of a batch.
        world: the processes that share the split.
        stop: what asks for a stop. It is looked at before each batch.
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
                with stop.waiting():
                    images, _ = next(iterator)
                own.append(model(model_inputs(images, world.device)).float())
        gathered = world.gather_rows(_padded(torch.cat(own), max(shares)))
    kept = [rows[:share] for rows, share in zip(torch.split(gathered, max(shares)), shares, strict=True)]
    return torch.cat(kept).cpu().numpy()


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(length - len(rows), rows.shape[1])])
