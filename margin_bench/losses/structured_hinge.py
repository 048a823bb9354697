"""Compute the structured hinge, its margin rescaled by the Hamming distance of label sets.

Tsochantaridis et al., "Large Margin Methods for Structured and Interdependent Output Variables", JMLR 2005.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def structured_hinge(logits: Tensor, targets: Tensor, dim: int, *, margin: float) -> Tensor:
    """Return (max over label sets Y of [margin Hamming(Y, P) + sum of x over Y] - sum of x over P) / |P|.

    Y runs over the sets of as many labeled entries as P has: over all sets the maximum would fall apart into a binary
    hinge for each entry. Such a Y swaps some positives for negatives, each swap at a Hamming distance of 2. The maximum
    swaps the lowest positive for the highest negative, the second lowest for the second highest, and so on as long as
    it pays, so it is the sum over k of max(0, 2 margin - x_p(k) + x_n(k)).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: for each label that differs. With one positive this is the loss of Crammer and Singer at twice the
            margin.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. The slope is 0 at a kink.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[1.0, 0.0, 2.0, -5.0]]), torch.tensor([[1, 1, 0, 0]], dtype=torch.int8)
        >>> structured_hinge(logits, targets, 1, margin=0.5)  # (max(0, 1 - 0 + 2) + max(0, 1 - 1 - 5)) / 2
        tensor([1.5000])
    """
    is_positive = positives(targets)
    # What stands in the place of non-members is so low that a swap with them never pays.
    lowest = masked.keep(-logits, is_positive).sort(dim, descending=True).values
    highest = masked.keep(logits, negatives(targets)).sort(dim, descending=True).values
    swaps = F.relu(2 * margin + lowest + highest)
    return swaps.sum(dim) / is_positive.sum(dim).clamp(min=1)


class StructuredHingeLoss(RelativeLoss):
    """Average `structured_hinge` over the groups that count.

    Args:
        margin: as for `structured_hinge`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = StructuredHingeLoss(margin=0.5, way="sample")
        >>> loss(torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8))  # 1 - 1 + 2
        tensor(2.)
    """

    def __init__(self, *, margin: float, way: str = "both") -> None:
        check_finite(margin=margin)
        super().__init__(structured_hinge, way, margin=margin)
