"""Compute the square of the hinge loss of each logit. It weighs large violations more, and has no kink."""

from torch import Tensor

from margin_bench.losses.hinge import hinge
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss


def squared_hinge(logits: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """Return max(0, margin - s x)^2, where the sign s is +1 of a positive and -1 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        margin: how far on its right side of zero a logit must stand to cost nothing.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.5, 2.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> squared_hinge(logits, targets, margin=1.0)  # (1 - 0.5)^2 and (1 + 2)^2
        tensor([[0.2500, 9.0000]])
    """
    return hinge(logits, targets, margin=margin).square()


class SquaredHingeLoss(PointwiseLoss):
    """Average `squared_hinge` over the labeled entries.

    Args:
        margin: as for `squared_hinge`.

    Raises:
        ValueError: the margin is not above zero.

    Examples:
        >>> import torch
        >>> loss = SquaredHingeLoss(margin=1.0)
        >>> loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # (1 + 9) / 2
        tensor(5.)
    """

    def __init__(self, *, margin: float) -> None:
        check_above_zero(margin=margin)
        super().__init__(squared_hinge, margin=margin)
