"""Compute the multi-similarity loss (eq. 20) with temperatures (Table 4).

Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR 2019.
"""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_at_least_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def multi_similarity(
    logits: Tensor, targets: Tensor, dim: int, *, positive_temperature: float, negative_temperature: float
) -> Tensor:
    """Compare the hard positive and the hard negative of a group each with zero (eq. 20).

    softplus(T_P log sum_p exp(-x_p / T_P)) + softplus(T_N log sum_n exp(x_n / T_N))

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        positive_temperature: T_P >= 0; zero takes the minimum of the positives, and equal ones share the gradient.
        negative_temperature: T_N >= 0; zero takes the maximum of the negatives, and equal ones share the gradient.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> multi_similarity(logits, targets, 1, positive_temperature=1.0, negative_temperature=1.0)  # log 2 + log 3
        tensor([1.7918])
    """
    t_p, t_n = (max(t, masked.ZERO_TEMPERATURE) for t in (positive_temperature, negative_temperature))
    hard_positive = t_p * masked.logsumexp(logits / -t_p, positives(targets, logits.dtype), dim)
    hard_negative = t_n * masked.logsumexp(logits / t_n, negatives(targets, logits.dtype), dim)
    return F.softplus(hard_positive) + F.softplus(hard_negative)


class MultiSimilarityLoss(RelativeLoss):
    """Average `multi_similarity` over the groups that count.

    Args:
        positive_temperature: as for `multi_similarity`.
        negative_temperature: as for `multi_similarity`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: a temperature is negative or not finite, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = MultiSimilarityLoss(positive_temperature=0.0, negative_temperature=0.0, way="sample")
        >>> loss(torch.tensor([[0.0, 0.0, -9.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8))  # 2 log 2
        tensor(1.3863)
    """

    def __init__(self, *, positive_temperature: float, negative_temperature: float, way: str = "both") -> None:
        temperatures = {"positive_temperature": positive_temperature, "negative_temperature": negative_temperature}
        check_at_least_zero(**temperatures)
        super().__init__(multi_similarity, way, **temperatures)
