"""Compute the pairwise logistic loss: Burges et al., "Learning to Rank using Gradient Descent" (RankNet), ICML 2005."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.losses.mining import MINING, mined_negatives
from margin_bench.losses.parameters import check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives

# Pairs that are held in memory at a time.
CHUNK = 2**20


def pairwise_logistic(logits: Tensor, targets: Tensor, dim: int, *, mining: str, seed: int) -> Tensor:
    """Return the mean over all p and n of softplus(x_n - x_p).

    No sorted form gives this sum, so all pairs are visited, in chunks. The time grows with |P| times the size of the
    group, which is too much for the joint way of a large bucket. On a GPU it waits for the number of positives.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        mining: `all` takes all pairs. Another word takes one negative for each positive, as `mined_negatives` does; the
            value is then the mean over the positives.
        seed: of `random` mining.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[1.0, 3.0, 1.0]]).log(), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> pairwise_logistic(logits, targets, 1, mining="all", seed=0)  # (log(1 + 3) + log(1 + 1)) / 2
        tensor([1.0397])
        >>> pairwise_logistic(logits, targets, 1, mining="hardest", seed=0)  # log(1 + 3)
        tensor([1.3863])
    """
    is_positive, is_negative = positives(targets), negatives(targets)
    if mining != "all":
        hardness = mined_negatives(logits, targets, dim, mining=mining, seed=seed) - logits
        return masked.mean(F.softplus(hardness), is_positive, dim)
    sums: Tensor = _SoftplusSum.apply(
        logits.movedim(dim, -1), is_positive.movedim(dim, -1), is_negative.movedim(dim, -1)
    )
    return sums / (is_positive.sum(dim) * is_negative.sum(dim)).clamp(min=1)


class _SoftplusSum(torch.autograd.Function):
    """Sum over the pairs of each row, (G, K) to (G,), along with the slopes, so that no pair is kept for a backward."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, is_positive: Tensor, is_negative: Tensor) -> Tensor:
        kept = masked.keep(logits, is_negative)
        rows, columns = is_positive.nonzero(as_tuple=True)
        chunk = max(1, CHUNK // logits.shape[-1])
        sums, slopes = logits.new_zeros(len(logits)), torch.zeros_like(kept)
        for row, column in zip(torch.split(rows, chunk), torch.split(columns, chunk), strict=True):
            differences = kept[row] - logits[row, column, None]
            sums.index_add_(0, row, F.softplus(differences).sum(1))
            slope = differences.sigmoid_()
            slopes.index_add_(0, row, slope)
            slopes[row, column] -= slope.sum(1)
        ctx.save_for_backward(slopes)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return slopes * grad.unsqueeze(-1), None, None


class PairwiseLogisticLoss(RelativeLoss):
    """Average `pairwise_logistic` over the groups that count.

    Args:
        mining: as for `pairwise_logistic`.
        seed: as for `pairwise_logistic`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the mining or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = PairwiseLogisticLoss(mining="all", seed=0, way="sample")
        >>> loss(torch.tensor([[1.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8))  # log(1 + 3)
        tensor(1.3863)
    """

    def __init__(self, *, mining: str, seed: int, way: str = "both") -> None:
        check_one_of(*MINING, mining=mining)
        super().__init__(pairwise_logistic, way, mining=mining, seed=seed)
