"""Compute the pairwise ranking hinge of torch.nn.MultiLabelMarginLoss, and its rank-weighted form."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.mining import MINING, mined_negatives
from margin_bench.losses.pairs import hinge_rank_sum, hinge_sum
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labeled, positives


def ranking_hinge(
    logits: Tensor, targets: Tensor, dim: int, *, margin: float, weighting: str, mining: str, seed: int
) -> Tensor:
    """Return the sum over p and n of max(0, margin - x_p + x_n), divided by the number of labeled entries.

    This is the loss of torch.nn.MultiLabelMarginLoss.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: by which a positive is to stand above a negative.
        weighting: `none`, or `rank` for the mean over p of log(1 + the sum over n of the hinge), which approximates the
            log of the rank (Liu and Natarajan, "WMRB", 2017).
        mining: `all` takes all pairs. Another word takes one negative for each positive, as `mined_negatives` does; the
            value is then the mean over the positives.
        seed: of `random` mining.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. At their kink mined hinges have the slope 0, those
        of all pairs the slope of either side.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, 2.5, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> ranking_hinge(logits, targets, 1, margin=1.0, weighting="none", mining="all", seed=0)  # (1.5 + 0) / 3
        tensor([0.5000])
        >>> ranking_hinge(logits, targets, 1, margin=1.0, weighting="none", mining="hardest", seed=0)
        tensor([1.5000])
    """
    if mining != "all":
        hardness = mined_negatives(logits, targets, dim, mining=mining, seed=seed) - logits
        return masked.mean(F.relu(margin + hardness), positives(targets), dim)
    if weighting == "rank":
        return hinge_rank_sum(logits, targets, dim, margin=margin) / positives(targets).sum(dim).clamp(min=1)
    num_labeled = labeled(targets, logits.dtype).sum(dim)
    return hinge_sum(logits, targets, dim, margin=margin, power=1) / num_labeled.clamp(min=1)


class RankingHingeLoss(RelativeLoss):
    """Average `ranking_hinge` over the groups that count.

    Args:
        margin: as for `ranking_hinge`.
        weighting: as for `ranking_hinge`.
        mining: as for `ranking_hinge`.
        seed: as for `ranking_hinge`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite; the weighting, the mining or the way is unknown; or mined pairs are to be
            weighted by rank.

    Examples:
        >>> import torch
        >>> loss = RankingHingeLoss(margin=1.0, weighting="none", mining="all", seed=0, way="sample")
        >>> loss(torch.tensor([[2.0, 2.5, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8))
        tensor(0.5000)
    """

    def __init__(self, *, margin: float, weighting: str, mining: str, seed: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of("none", "rank", weighting=weighting)
        check_one_of(*MINING, mining=mining)
        if weighting == "rank" and mining != "all":
            raise ValueError(f"weighting: expected none with mining={mining}, as one negative tells no rank.")
        super().__init__(ranking_hinge, way, margin=margin, weighting=weighting, mining=mining, seed=seed)
