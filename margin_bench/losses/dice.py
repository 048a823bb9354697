"""Compute the Dice loss: Milletari et al., "V-Net", 3DV 2016, with plain sums of the probabilities."""

import torch
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labeled, positives


def dice(logits: Tensor, targets: Tensor, dim: int, *, smoothing: float) -> Tensor:
    """Return 1 - (2 sum_p q_p + s) / (sum_i q_i + |P| + s), where q = sigmoid(x) and i runs over the labeled.

    It compares no logits, but the probabilities of a whole group with its positives.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        smoothing: s, which keeps the slope finite where the probabilities vanish.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. It lies between 0 and 1.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> dice(logits, targets, 1, smoothing=1.0)  # 1 - (2 * 0.5 + 1) / (0.5 + 0.5 + 1 + 1)
        tensor([0.3333])
    """
    probabilities = torch.sigmoid(logits) * labeled(targets, logits.dtype)
    is_positive = positives(targets, logits.dtype)
    overlap = (probabilities * is_positive).sum(dim)
    sizes = probabilities.sum(dim) + is_positive.sum(dim)
    return 1 - (2 * overlap + smoothing) / (sizes + smoothing)


class DiceLoss(RelativeLoss):
    """Average `dice` over the groups that count.

    Args:
        smoothing: as for `dice`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the smoothing is not above zero, or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = DiceLoss(smoothing=1.0, way="sample")
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))
        tensor(0.3333)
    """

    def __init__(self, *, smoothing: float, way: str = "both") -> None:
        check_above_zero(smoothing=smoothing)
        super().__init__(dice, way, smoothing=smoothing)
