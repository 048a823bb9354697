"""Compute the triplet loss between samples and class vectors.

Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.mining import MINING, mined_negatives
from margin_bench.losses.pairs import hinge_sum
from margin_bench.losses.parameters import check_above_zero, check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def triplet(
    logits: Tensor, targets: Tensor, dim: int, *, margin: float, mining: str, seed: int, logit_scale: float
) -> Tensor:
    """Return the mean over triplets of max(0, d_p^2 - d_n^2 + margin), where d^2 = 2 - 2 cos.

    This is eq. 1 of Schroff et al. d is the distance of two unit vectors. The anchor is the group: a sample, compared
    with class vectors as proxies, or a class vector, compared with samples.

    Args:
        logits: float (M, C), the cosines times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: between squared distances.
        mining: `all` takes all triplets. Another word takes one negative for each positive, as `mined_negatives` does.
        seed: of `random` mining.
        logit_scale: what the head has multiplied the cosines by.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. At their kink mined hinges have the slope 0, those
        of all triplets the slope of either side.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.5, 0.75]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> triplet(logits, targets, 1, margin=0.25, mining="all", seed=0, logit_scale=1.0)  # 1 - 0.5 + 0.25
        tensor([0.7500])
    """
    nearness = 2 * logits / logit_scale  # 2 - d^2
    is_positive = positives(targets)
    if mining != "all":
        hardness = mined_negatives(nearness, targets, dim, mining=mining, seed=seed) - nearness
        return masked.mean(F.relu(margin + hardness), is_positive, dim)
    num_triplets = is_positive.sum(dim) * negatives(targets).sum(dim)
    return hinge_sum(nearness, targets, dim, margin=margin, power=1) / num_triplets.clamp(min=1)


class TripletLoss(RelativeLoss):
    """Average `triplet` over the groups that count.

    Args:
        margin: as for `triplet`.
        mining: as for `triplet`.
        seed: as for `triplet`.
        logit_scale: as for `triplet`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite, the scale is not above zero, or the mining or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = TripletLoss(margin=0.25, mining="semi_hard", seed=0, logit_scale=16.0, way="sample")
        >>> loss(torch.tensor([[8.0, 12.0]]), torch.tensor([[1, 0]], dtype=torch.int8))
        tensor(0.7500)
    """

    def __init__(self, *, margin: float, mining: str, seed: int, logit_scale: float, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(*MINING, mining=mining)
        check_above_zero(logit_scale=logit_scale)
        super().__init__(triplet, way, margin=margin, mining=mining, seed=seed, logit_scale=logit_scale)
