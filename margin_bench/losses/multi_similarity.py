"""The multi-similarity loss (eq. 20) with temperatures (Table 4): Wang et al., "Multi-Similarity Loss", CVPR 2019."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_at_least_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def multi_similarity(
    logits: Tensor, targets: Tensor, dim: int, *, positive_temperature: float, negative_temperature: float
) -> Tensor:
    """Softplus of the hard positive, negated, plus softplus of the hard negative (eq. 20): each against zero.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        positive_temperature, negative_temperature: T_P, T_N >= 0; zero takes the minimum of the positives, the maximum
            of the negatives, of which equal ones share the gradient.

    Returns:
        what each group costs.
    """
    t_p, t_n = (max(t, masked.ZERO_TEMPERATURE) for t in (positive_temperature, negative_temperature))
    hard_positive = t_p * masked.logsumexp(logits / -t_p, positives(targets, logits.dtype), dim)
    hard_negative = t_n * masked.logsumexp(logits / t_n, negatives(targets, logits.dtype), dim)
    return F.softplus(hard_positive) + F.softplus(hard_negative)


class MultiSimilarityLoss(RelativeLoss):
    """`multi_similarity` as a module; see there.

    Raises:
        ValueError: a temperature that is negative or not finite, an unknown way.
    """

    def __init__(self, *, positive_temperature: float, negative_temperature: float, way: str = "both") -> None:
        temperatures = {"positive_temperature": positive_temperature, "negative_temperature": negative_temperature}
        check_at_least_zero(**temperatures)
        super().__init__(multi_similarity, way, **temperatures)
