"""The circle loss: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero, check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def circle(logits: Tensor, targets: Tensor, dim: int, *, gamma: float, margin: float, logit_scale: float) -> Tensor:
    """log(1 + sum_n exp(gamma a_n (s_n - m)) sum_p exp(-gamma a_p (s_p - 1 + m))) of cosines s.

    The weights a_p = [1 + m - s_p]_+ and a_n = [s_n + m]_+ say how far each is from its optimum. They are constants for
    the gradient, as in the paper's eq. 10.

    Args:
        logits: float (M, C), the cosines times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        gamma: the scale of the similarities in the loss.
        margin: m, the relaxation: the decision boundary is the circle (s_n)^2 + (s_p - 1)^2 = 2 m^2.
        logit_scale: what the head has multiplied the cosines by.

    Returns:
        what each group costs.
    """
    similarities = logits / logit_scale
    constant = similarities.detach()
    positive_weights = (1 + margin - constant).clamp(min=0)
    negative_weights = (constant + margin).clamp(min=0)
    hard_positive = masked.logsumexp(-gamma * positive_weights * (similarities - (1 - margin)), positives(targets), dim)
    hard_negative = masked.logsumexp(gamma * negative_weights * (similarities - margin), negatives(targets), dim)
    return F.softplus(hard_positive + hard_negative)  # eq. 6 of the paper


class CircleLoss(RelativeLoss):
    """`circle` as a module; see there.

    Raises:
        ValueError: a gamma or a scale that is not above zero, a margin that is not finite, an unknown way.
    """

    def __init__(self, *, gamma: float, margin: float, logit_scale: float, way: str = "both") -> None:
        check_above_zero(gamma=gamma, logit_scale=logit_scale)
        check_finite(margin=margin)
        super().__init__(circle, way, gamma=gamma, margin=margin, logit_scale=logit_scale)
