"""ArcFace: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019."""

import math

import torch
from torch import Tensor

from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import positives


def arcface(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Softmax loss of each positive, s cos(angle + margin), against all negatives, s cos; mean over the positives.

    With one positive this is eq. 3 of the paper. Of several none competes with another; see `infonce`. Where angle and
    margin exceed pi, cos(angle + margin) would rise again: there the positive is s (cos - margin sin(margin)).

    Args:
        logits: float (M, C), s cos.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: m in radians, 0 to pi.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        what each group costs. At angles of 0 and pi the slope of the sine, which is infinite, counts as 0.
    """
    cosine = logits / logit_scale
    limit = 1 - torch.finfo(cosine.dtype).eps
    sine = (1 - cosine.clamp(-limit, limit).square()).sqrt()
    turned = cosine * math.cos(margin) - sine * math.sin(margin)  # cos(angle + margin)
    beyond = cosine - margin * math.sin(margin)
    positive = logit_scale * torch.where(cosine > math.cos(math.pi - margin), turned, beyond)
    return infonce(torch.where(positives(targets), positive, logits), targets, dim, temperature=1.0)


class ArcFaceLoss(RelativeLoss):
    """`arcface` as a module; see there.

    Raises:
        ValueError: a margin outside 0 to pi, a scale that is not above zero, an unknown way.
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        if not 0 <= margin <= math.pi:
            raise ValueError(f"margin: expected an angle of 0 to pi, got {margin}.")
        check_above_zero(logit_scale=logit_scale)
        super().__init__(arcface, way, margin=margin, logit_scale=logit_scale)
