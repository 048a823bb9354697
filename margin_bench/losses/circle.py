"""Compute the circle loss.

Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero, check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def circle(logits: Tensor, targets: Tensor, dim: int, *, gamma: float, margin: float, logit_scale: float) -> Tensor:
    """Return log(1 + sum_n exp(g a_n (s_n - m)) sum_p exp(-g a_p (s_p - 1 + m))) of cosines s.

    This is eq. 6 of Sun et al. The weights a_p = max(0, 1 + m - s_p) and a_n = max(0, s_n + m) say how far each cosine
    is from its optimum. They are constants for the gradient, as in their eq. 10.

    Args:
        logits: float (M, C), the cosines times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        gamma: g, the scale of the similarities in the loss.
        margin: m, the relaxation: the decision boundary is the circle s_n^2 + (s_p - 1)^2 = 2 m^2.
        logit_scale: what the head has multiplied the cosines by.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.75, 0.25]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> circle(logits, targets, 1, gamma=8.0, margin=0.25, logit_scale=1.0)  # s_p = 1 - m and s_n = m: log(1 + 1)
        tensor([0.6931])
    """
    similarities = logits / logit_scale
    constant = similarities.detach()
    positive_weights = (1 + margin - constant).clamp(min=0)
    negative_weights = (constant + margin).clamp(min=0)
    hard_positive = masked.logsumexp(-gamma * positive_weights * (similarities - (1 - margin)), positives(targets), dim)
    hard_negative = masked.logsumexp(gamma * negative_weights * (similarities - margin), negatives(targets), dim)
    return F.softplus(hard_positive + hard_negative)  # eq. 6 of the paper


class CircleLoss(RelativeLoss):
    """Average `circle` over the groups that count.

    Args:
        gamma: as for `circle`.
        margin: as for `circle`.
        logit_scale: as for `circle`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: gamma or the scale is not above zero, the margin is not finite, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = CircleLoss(gamma=8.0, margin=0.25, logit_scale=4.0, way="sample")
        >>> loss(torch.tensor([[3.0, 1.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # log 2
        tensor(0.6931)
    """

    def __init__(self, *, gamma: float, margin: float, logit_scale: float, way: str = "both") -> None:
        check_above_zero(gamma=gamma, logit_scale=logit_scale)
        check_finite(margin=margin)
        super().__init__(circle, way, gamma=gamma, margin=margin, logit_scale=logit_scale)
