"""The hinge loss of each logit: the support vector machine, one class against the rest."""

from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def hinge(logits: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """max(0, margin - s x) with the sign s = +1 of a positive and -1 of a negative; the slope at the kink is 0.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        margin: how far from zero, on its right side, a logit costs nothing.

    Returns:
        what each entry costs, (M, C).
    """
    return (wrong_side(logits, targets) + margin).relu()


class HingeLoss(PointwiseLoss):
    """`hinge` as a module; see there.

    Raises:
        ValueError: a margin that is not above zero.
    """

    def __init__(self, *, margin: float) -> None:
        check_above_zero(margin=margin)
        super().__init__(hinge, margin=margin)
