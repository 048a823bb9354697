"""The asymmetric loss: Ben-Baruch et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021."""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss
from margin_bench.targets import positives


def asl(logits: Tensor, targets: Tensor, *, positive_gamma: float, negative_gamma: float, clip: float) -> Tensor:
    """-(1 - p)^gamma_pos log p of a positive, -q^gamma_neg log(1 - q) of a negative, q = max(p - clip, 0) (eq. 7).

    A negative with p <= clip costs nothing and has no gradient.

    Args:
        logits: float (M, C); p is their sigmoid.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_gamma, negative_gamma: how much less the entries cost that are right already. The second is 0 or at
            least 1, as between them the slope at q = 0 is infinite.
        clip: m, from 0 up to but without 1.

    Returns:
        what each entry costs, (M, C).
    """
    log_p = F.logsigmoid(logits)
    log_wrong = log_p - logits  # log(1 - p)
    positive = log_p if positive_gamma == 0 else torch.exp(positive_gamma * log_wrong) * log_p
    if clip == 0:
        negative = torch.exp(negative_gamma * log_p) * log_wrong
    else:
        shifted = (log_p.exp() - clip).clamp(min=0)
        negative = shifted**negative_gamma * torch.log1p(-shifted)  # finite, as 1 - q >= clip
    return -torch.where(positives(targets), positive, negative)


class AsymmetricLoss(PointwiseLoss):
    """`asl` as a module; see there.

    Args:
        scale: factor on the mean over the labelled entries.

    Raises:
        ValueError: a gamma or a clip outside what `asl` takes, a scale that is not above zero.
    """

    def __init__(self, *, positive_gamma: float, negative_gamma: float, clip: float, scale: float) -> None:
        check_at_least_zero(positive_gamma=positive_gamma, negative_gamma=negative_gamma)
        check_above_zero(scale=scale)
        if 0 < negative_gamma < 1:
            raise ValueError(f"negative_gamma: expected 0 or a number of at least 1, got {negative_gamma!r}.")
        if not 0 <= clip < 1:
            raise ValueError(f"clip: expected a number from 0 up to but without 1, got {clip!r}.")
        super().__init__(asl, positive_gamma=positive_gamma, negative_gamma=negative_gamma, clip=clip, scale=scale)
