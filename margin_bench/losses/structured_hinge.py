"""The structured hinge, margin rescaling by the Hamming distance of label sets: Tsochantaridis et al., JMLR 2005."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def structured_hinge(logits: Tensor, targets: Tensor, dim: int, *, margin: float) -> Tensor:
    """max over label sets Y of [margin * Hamming(Y, P) + sum of x over Y] - sum of x over P, over |P|.

    Y runs over the sets of as many labelled entries as P has: over all sets the maximum would fall apart into a binary
    hinge per entry. Such a Y swaps some positives for negatives, at a Hamming distance of 2 each, and the maximum swaps
    the lowest positive for the highest negative, the second for the second, as long as it pays:
    sum over k of max(0, 2 margin - x_p(k) + x_n(k)).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: per label that differs. With one positive this is Crammer and Singer's loss at twice the margin.

    Returns:
        what each group costs. The slope is 0 at a kink.
    """
    is_positive = positives(targets)
    # What stands in the place of non-members is so low that a swap with them never pays.
    lowest = masked.keep(-logits, is_positive).sort(dim, descending=True).values
    highest = masked.keep(logits, negatives(targets)).sort(dim, descending=True).values
    swaps = F.relu(2 * margin + lowest + highest)
    return swaps.sum(dim) / is_positive.sum(dim).clamp(min=1)


class StructuredHingeLoss(RelativeLoss):
    """`structured_hinge` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, an unknown way.
    """

    def __init__(self, *, margin: float, way: str = "both") -> None:
        check_finite(margin=margin)
        super().__init__(structured_hinge, way, margin=margin)
