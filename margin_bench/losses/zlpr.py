"""The zero-bounded log-sum-exp and pairwise rank-based loss: Su et al., "ZLPR", 2022."""

from torch import Tensor

from margin_bench.losses.multi_similarity import multi_similarity
from margin_bench.losses.ways import RelativeLoss


def zlpr(logits: Tensor, targets: Tensor, dim: int) -> Tensor:
    """log(1 + sum_p exp(-x_p)) + log(1 + sum_n exp(x_n)): the multi-similarity loss (eq. 20) at temperatures of 1.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.

    Returns:
        what each group costs. The original counts samples without a positive too; here, as in every loss, none does.
    """
    return multi_similarity(logits, targets, dim, positive_temperature=1.0, negative_temperature=1.0)


class ZLPRLoss(RelativeLoss):
    """`zlpr` as a module; see there.

    Raises:
        ValueError: an unknown way.
    """

    def __init__(self, *, way: str = "both") -> None:
        super().__init__(zlpr, way)
