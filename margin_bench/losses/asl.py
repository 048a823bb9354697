"""Compute the asymmetric loss: Ben-Baruch et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021."""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss
from margin_bench.targets import positives


def asl(
    logits: Tensor,
    targets: Tensor,
    *,
    positive_gamma: float,
    negative_gamma: float,
    clip: float,
    detach_weight: bool = False,
) -> Tensor:
    """Return -(1 - p)^g+ log p of a positive and -q^g- log(1 - q) of a negative, where q = max(p - clip, 0).

    This is eq. 7 of Ben-Baruch et al. A negative with p <= clip costs nothing and has no gradient.

    Args:
        logits: float (M, C); p is their sigmoid.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_gamma: g+. The larger, the less a positive costs that is right already.
        negative_gamma: g-, the same for a negative; 0 or at least 1, as between them the slope at q = 0 is infinite.
        clip: from 0 up to but without 1.
        detach_weight: take the factors (1 - p)^g+ and q^g- for constants in the gradient, as the authors' training code
            and that of ML-Decoder do.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> asl(logits, targets, positive_gamma=0.0, negative_gamma=2.0, clip=0.0)  # log 2, and log 2 / 4
        tensor([[0.6931, 0.1733]])
    """
    log_p = F.logsigmoid(logits)
    log_wrong = log_p - logits  # log(1 - p)
    weight = torch.detach if detach_weight else _itself
    positive = log_p if positive_gamma == 0 else weight(torch.exp(positive_gamma * log_wrong)) * log_p
    if clip == 0:
        negative = weight(torch.exp(negative_gamma * log_p)) * log_wrong
    else:
        shifted = (log_p.exp() - clip).clamp(min=0)
        negative = weight(shifted**negative_gamma) * torch.log1p(-shifted)  # finite, as 1 - q >= clip
    return -torch.where(positives(targets), positive, negative)


def _itself(values: Tensor) -> Tensor:
    return values


class AsymmetricLoss(PointwiseLoss):
    """Average `asl` over the labeled entries, times a factor.

    Args:
        positive_gamma: as for `asl`.
        negative_gamma: as for `asl`.
        clip: as for `asl`.
        detach_weight: as for `asl`.
        scale: the factor on the mean.

    Raises:
        ValueError: a gamma or the clip is outside what `asl` takes, or the scale is not above zero.

    Examples:
        >>> import torch
        >>> loss = AsymmetricLoss(positive_gamma=0.0, negative_gamma=0.0, clip=0.0, scale=2.0)
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # 2 log 2
        tensor(1.3863)
    """

    def __init__(
        self, *, positive_gamma: float, negative_gamma: float, clip: float, scale: float, detach_weight: bool = False
    ) -> None:
        check_at_least_zero(positive_gamma=positive_gamma, negative_gamma=negative_gamma)
        check_above_zero(scale=scale)
        if 0 < negative_gamma < 1:
            raise ValueError(f"negative_gamma: expected 0 or a number of at least 1, got {negative_gamma!r}.")
        if not 0 <= clip < 1:
            raise ValueError(f"clip: expected a number from 0 up to but without 1, got {clip!r}.")
        super().__init__(
            asl,
            positive_gamma=positive_gamma,
            negative_gamma=negative_gamma,
            clip=clip,
            detach_weight=detach_weight,
            scale=scale,
        )
