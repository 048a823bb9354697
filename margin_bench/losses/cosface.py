"""Compute CosFace: Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018."""

import torch
from torch import Tensor

from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_above_zero, check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import positives


def cosface(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Average over the positives p the softmax loss of s (cos_p - m) against s cos_n of all negatives n.

    With one positive this is eq. 4 of Wang et al. Several positives do not compete with one another; see `infonce`.

    Args:
        logits: float (M, C), the cosines times `logit_scale`.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        margin: m, between cosines.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[8.0, 4.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> cosface(logits, targets, 1, margin=0.25, logit_scale=16.0)  # 16 (0.5 - 0.25) = 4 against 4: log 2
        tensor([0.6931])
    """
    lowered = torch.where(positives(targets), logits - logit_scale * margin, logits)
    return infonce(lowered, targets, dim, temperature=1.0)


class CosFaceLoss(RelativeLoss):
    """Average `cosface` over the groups that count.

    Args:
        margin: as for `cosface`.
        logit_scale: as for `cosface`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the margin is not finite, the scale is not above zero, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = CosFaceLoss(margin=0.25, logit_scale=16.0, way="sample")
        >>> loss(torch.tensor([[8.0, 4.0]]), torch.tensor([[1, 0]], dtype=torch.int8))
        tensor(0.6931)
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        check_finite(margin=margin)
        check_above_zero(logit_scale=logit_scale)
        super().__init__(cosface, way, margin=margin, logit_scale=logit_scale)
