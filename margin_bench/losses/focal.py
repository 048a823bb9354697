"""Compute the focal loss: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017."""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side
from margin_bench.targets import positives


def focal(logits: Tensor, targets: Tensor, *, gamma: float, alpha: float | None, detach_weight: bool = False) -> Tensor:
    """Return -(1 - p_t)^gamma log p_t, where p_t = sigmoid(x) of a positive and 1 - sigmoid(x) of a negative.

    This is eq. 4 of Lin et al., and with alpha their eq. 5.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        gamma: the larger, the less an entry costs that is right already; 0 is the binary cross-entropy.
        alpha: the weight of the positives; that of the negatives is 1 - alpha. None weighs both 1.
        detach_weight: take the factor (1 - p_t)^gamma for a constant in the gradient.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> focal(logits, targets, gamma=2.0, alpha=None)  # log 2 / 4
        tensor([[0.1733, 0.1733]])
        >>> focal(logits, targets, gamma=0.0, alpha=0.25)  # log 2 / 4 and 3/4 log 2
        tensor([[0.1733, 0.5199]])
    """
    wrong = wrong_side(logits, targets)
    cross_entropy = F.softplus(wrong)  # -log p_t
    # log(1 - p_t) = wrong + log p_t: as an exponential, the power has a finite slope at every logit and gamma.
    weight = torch.exp(gamma * (wrong - cross_entropy))
    values = (weight.detach() if detach_weight else weight) * cross_entropy
    return values if alpha is None else values * torch.where(positives(targets), alpha, 1 - alpha)


class FocalLoss(PointwiseLoss):
    """Average `focal` over the labeled entries, times a factor.

    Args:
        gamma: as for `focal`.
        alpha: as for `focal`.
        detach_weight: as for `focal`.
        scale: the factor on the mean.

    Raises:
        ValueError: gamma is negative or not finite, alpha lies outside 0 to 1, or the scale is not above zero.

    Examples:
        >>> import torch
        >>> loss = FocalLoss(gamma=2.0, alpha=None, scale=4.0)
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # 4 log 2 / 4
        tensor(0.6931)
    """

    def __init__(self, *, gamma: float, alpha: float | None, scale: float, detach_weight: bool = False) -> None:
        check_at_least_zero(gamma=gamma)
        check_above_zero(scale=scale)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha: expected a number from 0 to 1 or null, got {alpha!r}.")
        super().__init__(focal, gamma=gamma, alpha=alpha, detach_weight=detach_weight, scale=scale)
