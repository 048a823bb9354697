"""Compute the Huber loss of each probability: Huber, "Robust Estimation of a Location Parameter", 1964."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.pointwise import PointwiseLoss


def huber(logits: Tensor, targets: Tensor, *, delta: float) -> Tensor:
    """Return r^2 / 2 up to r = delta and delta (r - delta / 2) beyond, where r = |p - y|.

    p is sigmoid(x), and y is 1 of a positive and 0 of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        delta: where the square turns into a line. From 1 on the loss is half the Brier score, as no r is larger.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[1.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> huber(logits, targets, delta=0.5)  # r = 1/2 and 3/4: 1/8 and 0.5 (0.75 - 0.25)
        tensor([[0.1250, 0.2500]])
    """
    return F.huber_loss(logits.sigmoid(), targets.to(logits.dtype), reduction="none", delta=delta)


class HuberLoss(PointwiseLoss):
    """Average `huber` over the labeled entries.

    Args:
        delta: as for `huber`.

    Raises:
        ValueError: delta is not above zero.

    Examples:
        >>> import torch
        >>> loss = HuberLoss(delta=1.0)
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # 1/8
        tensor(0.1250)
    """

    def __init__(self, *, delta: float) -> None:
        check_above_zero(delta=delta)
        super().__init__(huber, delta=delta)
