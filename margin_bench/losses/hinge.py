"""Compute the hinge loss of each logit: the support vector machine, one class against the rest."""

from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def hinge(logits: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """Return max(0, margin - s x), where the sign s is +1 of a positive and -1 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        margin: how far on its right side of zero a logit must stand to cost nothing.

    Returns:
        float (M, C), what each entry costs. The slope is 0 at the kink.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.5, 2.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> hinge(logits, targets, margin=1.0)  # 1 - 0.5 and 1 + 2
        tensor([[0.5000, 3.0000]])
    """
    return (wrong_side(logits, targets) + margin).relu()


class HingeLoss(PointwiseLoss):
    """Average `hinge` over the labeled entries.

    Args:
        margin: as for `hinge`.

    Raises:
        ValueError: the margin is not above zero.

    Examples:
        >>> import torch
        >>> loss = HingeLoss(margin=1.0)
        >>> loss(torch.tensor([[0.5, 2.5]]), torch.tensor([[1, 0]], dtype=torch.int8))  # (0.5 + 3.5) / 2
        tensor(2.)
    """

    def __init__(self, *, margin: float) -> None:
        check_above_zero(margin=margin)
        super().__init__(hinge, margin=margin)
