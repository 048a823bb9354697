"""CosFace: Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018."""

import torch
from torch import Tensor

from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_above_zero, check_finite
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import positives


def cosface(logits: Tensor, targets: Tensor, dim: int, *, margin: float, logit_scale: float) -> Tensor:
    """Softmax loss of each positive, s (cos - margin), against all negatives, s cos; mean over the positives.

    With one positive this is eq. 4 of the paper. Of several none competes with another; see `infonce`.

    Args:
        logits: float (M, C), s cos.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: between cosines.
        logit_scale: s, what the head has multiplied the cosines by.

    Returns:
        what each group costs.
    """
    lowered = torch.where(positives(targets), logits - logit_scale * margin, logits)
    return infonce(lowered, targets, dim, temperature=1.0)


class CosFaceLoss(RelativeLoss):
    """`cosface` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, a scale that is not above zero, an unknown way.
    """

    def __init__(self, *, margin: float, logit_scale: float, way: str = "both") -> None:
        check_finite(margin=margin)
        check_above_zero(logit_scale=logit_scale)
        super().__init__(cosface, way, margin=margin, logit_scale=logit_scale)
