"""The focal loss: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017."""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side
from margin_bench.targets import positives


def focal(logits: Tensor, targets: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """-(1 - p_t)^gamma log p_t, with p_t = sigmoid(x) of a positive and 1 - sigmoid(x) of a negative (eq. 4 there).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        gamma: how much less the entries cost that are right already; 0 is the binary cross-entropy.
        alpha: weight of the positives, the negatives' being 1 - alpha (eq. 5 there). None: 1 for both.

    Returns:
        what each entry costs, (M, C).
    """
    wrong = wrong_side(logits, targets)
    cross_entropy = F.softplus(wrong)  # -log p_t
    # log(1 - p_t) = wrong + log p_t: as an exponential, the power has a finite slope at every logit and gamma.
    values = torch.exp(gamma * (wrong - cross_entropy)) * cross_entropy
    return values if alpha is None else values * torch.where(positives(targets), alpha, 1 - alpha)


class FocalLoss(PointwiseLoss):
    """`focal` as a module; see there.

    Args:
        scale: factor on the mean over the labelled entries.

    Raises:
        ValueError: a gamma that is negative or not finite, an alpha outside 0 to 1, a scale that is not above zero.
    """

    def __init__(self, *, gamma: float, alpha: float | None, scale: float) -> None:
        check_at_least_zero(gamma=gamma)
        check_above_zero(scale=scale)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha: expected a number from 0 to 1 or null, got {alpha!r}.")
        super().__init__(focal, gamma=gamma, alpha=alpha, scale=scale)
