"""The triplet loss: Schroff et al., "FaceNet", CVPR 2015, between samples and class vectors."""

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
    """Mean over triplets of max(0, d_p^2 - d_n^2 + margin), d^2 = 2 - 2 cos being the distance of unit vectors (eq. 1).

    The anchor is the group: a sample among class vectors as proxies, or a class vector among samples.

    Args:
        logits: float (M, C), s cos.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: between squared distances.
        mining: `all` triplets, or one negative for each positive as in `mined_negatives`.
        seed: for `random` mining.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        what each group costs. Mined hinges have the slope 0 at their kink, those of all pairs that of either side.
    """
    nearness = 2 * logits / logit_scale  # 2 - d^2
    is_positive = positives(targets)
    if mining != "all":
        hardness = mined_negatives(nearness, targets, dim, mining=mining, seed=seed) - nearness
        return masked.mean(F.relu(margin + hardness), is_positive, dim)
    num_triplets = is_positive.sum(dim) * negatives(targets).sum(dim)
    return hinge_sum(nearness, targets, dim, margin=margin, power=1) / num_triplets.clamp(min=1)


class TripletLoss(RelativeLoss):
    """`triplet` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, a scale that is not above zero, an unknown mining or way.
    """

    def __init__(self, *, margin: float, mining: str, seed: int, logit_scale: float, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(*MINING, mining=mining)
        check_above_zero(logit_scale=logit_scale)
        super().__init__(triplet, way, margin=margin, mining=mining, seed=seed, logit_scale=logit_scale)
