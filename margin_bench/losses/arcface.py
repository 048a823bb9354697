"""Compute ArcFace: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019."""

import math

import torch
from torch import Tensor

from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import positives


def arcface(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Average over the positives p the softmax loss of s cos(a_p + m) against s cos(a_n) of all negatives n.

    With one positive this is eq. 3 of Deng et al. Several positives do not compete with one another; see `infonce`.
    Where a_p + m exceeds pi, its cosine would rise again: there a positive counts as s (cos(a_p) - m sin(m)).

    Args:
        logits: float (M, C), the cosines of the angles a times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: m in radians, 0 to pi.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. The slope at angles of 0 and pi, which is infinite,
        counts as 0.

    Examples:
        >>> import math
        >>> import torch
        >>> logits, targets = torch.tensor([[0.5, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> arcface(logits, targets, 1, margin=math.pi / 6, logit_scale=1.0)  # cos(60° + 30°) = 0 against 0: log 2
        tensor([0.6931])
    """
    cosine = logits / logit_scale
    limit = 1 - torch.finfo(cosine.dtype).eps
    sine = (1 - cosine.clamp(-limit, limit).square()).sqrt()
    turned = cosine * math.cos(margin) - sine * math.sin(margin)  # cos(angle + margin)
    beyond = cosine - margin * math.sin(margin)
    positive = logit_scale * torch.where(cosine > math.cos(math.pi - margin), turned, beyond)
    return infonce(torch.where(positives(targets), positive, logits), targets, dim, temperature=1.0)


class ArcFaceLoss(RelativeLoss):
    """Average `arcface` over the groups that count.

    Args:
        margin: as for `arcface`.
        logit_scale: as for `arcface`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin lies outside 0 to pi, the scale is not above zero, or the way is unknown.

    Examples:
        >>> import math
        >>> import torch
        >>> loss = ArcFaceLoss(margin=math.pi / 6, logit_scale=1.0, way="sample")
        >>> loss(torch.tensor([[0.5, 0.0], [0.0, 0.5]]), torch.tensor([[1, 0], [0, 1]], dtype=torch.int8))
        tensor(0.6931)
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        if not 0 <= margin <= math.pi:
            raise ValueError(f"margin: expected an angle of 0 to pi, got {margin}.")
        check_above_zero(logit_scale=logit_scale)
        super().__init__(arcface, way, margin=margin, logit_scale=logit_scale)
