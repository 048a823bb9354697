"""The pairwise ranking hinge of torch.nn.MultiLabelMarginLoss, and its rank-weighted form."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.mining import MINING, mined_negatives
from margin_bench.losses.pairs import hinge_rank_sum, hinge_sum
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labelled, positives


def ranking_hinge(
    logits: Tensor, targets: Tensor, dim: int, *, margin: float, weighting: str, mining: str, seed: int
) -> Tensor:
    """Sum over p and n of max(0, margin - x_p + x_n), over the number of labelled entries (MultiLabelMarginLoss).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: by which a positive is to stand above a negative.
        weighting: `none`, or `rank`: the mean over p of log(1 + the sum over n of the hinge), which approximates the
            log of the rank (Liu and Natarajan, "WMRB", 2017).
        mining: `all` pairs, or one negative for each positive as in `mined_negatives`: the mean over the positives.
        seed: for `random` mining.

    Returns:
        what each group costs. Mined hinges have the slope 0 at their kink, those of all pairs that of either side.
    """
    if mining != "all":
        hardness = mined_negatives(logits, targets, dim, mining=mining, seed=seed) - logits
        return masked.mean(F.relu(margin + hardness), positives(targets), dim)
    if weighting == "rank":
        return hinge_rank_sum(logits, targets, dim, margin=margin) / positives(targets).sum(dim).clamp(min=1)
    num_labelled = labelled(targets, logits.dtype).sum(dim)
    return hinge_sum(logits, targets, dim, margin=margin, power=1) / num_labelled.clamp(min=1)


class RankingHingeLoss(RelativeLoss):
    """`ranking_hinge` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, an unknown weighting, mining or way; rank weighting of mined pairs.
    """

    def __init__(self, *, margin: float, weighting: str, mining: str, seed: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of("none", "rank", weighting=weighting)
        check_one_of(*MINING, mining=mining)
        if weighting == "rank" and mining != "all":
            raise ValueError(f"weighting: expected none with mining={mining}, as one negative tells no rank.")
        super().__init__(ranking_hinge, way, margin=margin, weighting=weighting, mining=mining, seed=seed)
