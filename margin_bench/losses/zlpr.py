"""Compute the zero-bounded log-sum-exp and pairwise rank-based loss.

Su et al., "ZLPR: A Novel Loss for Multi-label Classification", 2022.
"""

from torch import Tensor

from margin_bench.losses.multi_similarity import multi_similarity
from margin_bench.losses.ways import RelativeLoss


def zlpr(logits: Tensor, targets: Tensor, dim: int) -> Tensor:
    """Return log(1 + sum_p exp(-x_p)) + log(1 + sum_n exp(x_n)).

    This is `multi_similarity` (eq. 20) at temperatures of 1. Su et al. count samples without a positive too. Here, as
    for every loss, they do not count.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> zlpr(logits, targets, 1)  # log 2 + log 3
        tensor([1.7918])
    """
    return multi_similarity(logits, targets, dim, positive_temperature=1.0, negative_temperature=1.0)


class ZLPRLoss(RelativeLoss):
    """Average `zlpr` over the groups that count.

    Args:
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the way is unknown.

    Examples:
        >>> import torch
        >>> ZLPRLoss(way="sample")(torch.zeros(1, 3), torch.tensor([[1, 0, 0]], dtype=torch.int8))  # log 2 + log 3
        tensor(1.7918)
    """

    def __init__(self, *, way: str = "both") -> None:
        super().__init__(zlpr, way)
