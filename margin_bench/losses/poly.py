"""Compute the Poly-1 loss.

Leng et al., "PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions", ICLR 2022.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_finite
from margin_bench.losses.pointwise import PointwiseLoss, wrong_side


def poly(logits: Tensor, targets: Tensor, *, epsilon: float) -> Tensor:
    """Return -log p_t + epsilon (1 - p_t), where p_t = sigmoid(x) of a positive and 1 - sigmoid(x) of a negative.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        epsilon: is added to the first coefficient, 1, of the expansion of -log p_t in powers of 1 - p_t.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[3.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> poly(logits, targets, epsilon=2.0)  # log 4/3 + 2/4 and log 4 + 6/4
        tensor([[0.7877, 2.8863]])
    """
    wrong = wrong_side(logits, targets)
    return F.softplus(wrong) + epsilon * torch.sigmoid(wrong)


class PolyLoss(PointwiseLoss):
    """Average `poly` over the labeled entries.

    Args:
        epsilon: as for `poly`.

    Raises:
        ValueError: epsilon is not finite.

    Examples:
        >>> import torch
        >>> loss = PolyLoss(epsilon=2.0)
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # log 2 + 2/2
        tensor(1.6931)
    """

    def __init__(self, *, epsilon: float) -> None:
        check_finite(epsilon=epsilon)
        super().__init__(poly, epsilon=epsilon)
