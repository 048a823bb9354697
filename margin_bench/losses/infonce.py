"""InfoNCE: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def infonce(logits: Tensor, targets: Tensor, dim: int, *, temperature: float) -> Tensor:
    """Mean over the positives of -log(exp(x_p / T) / (exp(x_p / T) + sum_n exp(x_n / T))).

    Each positive meets all negatives and no other positive. With the temperature of 1 and one positive this is
    cross-entropy; along samples it is the multiple negatives ranking loss (Henderson et al., 2017), in both ways its
    symmetric form.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        temperature: T > 0.

    Returns:
        what each group costs.
    """
    scaled = logits / temperature
    hard_negative = masked.logsumexp(scaled, negatives(targets), dim).unsqueeze(dim)
    return masked.mean(F.softplus(hard_negative - scaled), positives(targets), dim)


class InfoNCELoss(RelativeLoss):
    """`infonce` as a module; see there.

    Raises:
        ValueError: a temperature that is not above zero, an unknown way.
    """

    def __init__(self, *, temperature: float, way: str = "both") -> None:
        check_above_zero(temperature=temperature)
        super().__init__(infonce, way, temperature=temperature)
