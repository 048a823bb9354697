"""Compute the contrastive loss.

Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives

# At a smaller distance a negative is not pushed away, as the slope of the square root grows without bound.
CLOSEST = 1e-2


def contrastive(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Return the mean over the positives of d_p^2 plus the mean over the negatives of max(0, margin - d_n)^2.

    This is eq. 4 of Hadsell et al. d^2 = 2 - 2 cos is the squared distance of a sample and a class vector, both of unit
    length. Each side has a mean of its own, so that the many negatives do not drown the few positives.

    Args:
        logits: float (M, C), the cosines times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: the distance from which on a negative costs nothing.
        logit_scale: what the head has multiplied the cosines by.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. A negative closer than 0.01 costs what it does
        there, with the slope 0.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.5, 0.5]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> contrastive(logits, targets, 1, margin=1.5, logit_scale=1.0)  # d = 1: 1 + 0.5^2
        tensor([1.2500])
    """
    squared = 2 - 2 * logits / logit_scale
    shortfall = F.relu(margin - squared.clamp(min=CLOSEST**2).sqrt())
    return masked.mean(squared, positives(targets), dim) + masked.mean(shortfall.square(), negatives(targets), dim)


class ContrastiveLoss(RelativeLoss):
    """Average `contrastive` over the groups that count.

    Args:
        margin: as for `contrastive`.
        logit_scale: as for `contrastive`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin or the scale is not above zero, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = ContrastiveLoss(margin=1.5, logit_scale=16.0, way="sample")
        >>> loss(torch.tensor([[8.0, 8.0]]), torch.tensor([[1, 0]], dtype=torch.int8))
        tensor(1.2500)
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        check_above_zero(margin=margin, logit_scale=logit_scale)
        super().__init__(contrastive, way, margin=margin, logit_scale=logit_scale)
