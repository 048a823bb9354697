"""The contrastive loss: Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives

# Below this distance a negative is not pushed away any harder: the slope of a square root grows without bound.
CLOSEST = 1e-2


def contrastive(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Mean over the positives of d^2 plus mean over the negatives of max(0, margin - d)^2, d^2 = 2 - 2 cos (eq. 4).

    The pairs are of a sample and a class vector as its proxy, both of unit length. Each side has a mean of its own, so
    that the many negatives do not drown the few positives.

    Args:
        logits: float (M, C), s cos.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: the distance from which on a negative costs nothing.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        what each group costs. A negative closer than 0.01 costs what it does there, with the slope 0.
    """
    squared = 2 - 2 * logits / logit_scale
    shortfall = F.relu(margin - squared.clamp(min=CLOSEST**2).sqrt())
    return masked.mean(squared, positives(targets), dim) + masked.mean(shortfall.square(), negatives(targets), dim)


class ContrastiveLoss(RelativeLoss):
    """`contrastive` as a module; see there.

    Raises:
        ValueError: a margin or a scale that is not above zero, an unknown way.
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        check_above_zero(margin=margin, logit_scale=logit_scale)
        super().__init__(contrastive, way, margin=margin, logit_scale=logit_scale)
