"""The square of the hinge loss of each logit: it weighs large violations more, and has no kink."""

from torch import Tensor

from margin_bench.losses.hinge import hinge
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss


def squared_hinge(logits: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """max(0, margin - s x)^2 with the sign s = +1 of a positive and -1 of a negative.

    Args:
        logits, targets, margin: as for `margin_bench.losses.hinge.hinge`.

    Returns:
        what each entry costs, (M, C).
    """
    return hinge(logits, targets, margin=margin).square()


class SquaredHingeLoss(PointwiseLoss):
    """`squared_hinge` as a module; see there.

    Raises:
        ValueError: a margin that is not above zero.
    """

    def __init__(self, *, margin: float) -> None:
        check_above_zero(margin=margin)
        super().__init__(squared_hinge, margin=margin)
