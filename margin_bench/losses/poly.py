"""The Poly-1 loss: Leng et al., "PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions", ICLR
2022."""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_finite
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def poly(logits: Tensor, targets: Tensor, *, epsilon: float) -> Tensor:
    """-log p_t + epsilon (1 - p_t), with p_t = sigmoid(x) of a positive and 1 - sigmoid(x) of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        epsilon: added to the first coefficient, 1, of the expansion of -log p_t in powers of 1 - p_t.

    Returns:
        what each entry costs, (M, C).
    """
    wrong = wrong_side(logits, targets)
    return F.softplus(wrong) + epsilon * torch.sigmoid(wrong)


class PolyLoss(PointwiseLoss):
    """`poly` as a module; see there.

    Raises:
        ValueError: an epsilon that is not finite.
    """

    def __init__(self, *, epsilon: float) -> None:
        check_finite(epsilon=epsilon)
        super().__init__(poly, epsilon=epsilon)
