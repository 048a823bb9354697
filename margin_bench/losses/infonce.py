"""Compute InfoNCE: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018."""

import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def infonce(logits: Tensor, targets: Tensor, dim: int, *, temperature: float) -> Tensor:
    """Return the mean over the positives of -log(exp(x_p / T) / (exp(x_p / T) + sum_n exp(x_n / T))).

    Each positive meets all negatives and no other positive. With a temperature of 1 and one positive this is the
    cross-entropy. Along samples it is the multiple negatives ranking loss (Henderson et al., 2017), in both ways the
    symmetric form of that.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        temperature: T > 0.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> infonce(logits, targets, 1, temperature=1.0)  # log(1 + 2)
        tensor([1.0986])
    """
    scaled = logits / temperature
    hard_negative = masked.logsumexp(scaled, negatives(targets), dim).unsqueeze(dim)
    return masked.mean(F.softplus(hard_negative - scaled), positives(targets), dim)


class InfoNCELoss(RelativeLoss):
    """Average `infonce` over the groups that count.

    Args:
        temperature: as for `infonce`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the temperature is not above zero, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = InfoNCELoss(temperature=0.5, way="both")
        >>> loss(torch.zeros(2, 2), torch.tensor([[1, 0], [0, 1]], dtype=torch.int8))  # log 2, once for each way
        tensor(1.3863)
    """

    def __init__(self, *, temperature: float, way: str = "both") -> None:
        check_above_zero(temperature=temperature)
        super().__init__(infonce, way, temperature=temperature)
