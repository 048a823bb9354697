"""The two-way multi-label loss: Kobayashi, "Two-way Multi-Label Loss", CVPR 2023."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.losses.ways import check_way, mean_over_groups
from margin_bench.targets import NEGATIVE, POSITIVE, check_bucket


def two_way(
    logits: Tensor,
    targets: Tensor,
    dim: int,
    *,
    positive_temperature: float = 4.0,
    negative_temperature: float = 1.0,
    logit_bias: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The softplus of the hardest negative minus the hardest positive of each group (eq. 14).

    Args:
        logits: float32 or float64 (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies: 1 for samples (eq. 15), 0 for classes (eq. 16).
        positive_temperature: T_P >= 0; larger asks for a larger margin, zero is the plain minimum of the positives.
        negative_temperature: T_N >= 0; zero is the plain maximum of the negatives.
        logit_bias: added inside the softplus (Table 2).

    Returns:
        the value of each group, and which groups count, as bool: those with a positive and a negative.
    """
    values, counts = _TwoWay.apply(logits, targets, dim, positive_temperature, negative_temperature, logit_bias)
    return values, counts


class _TwoWay(torch.autograd.Function):
    """Computes the gradient along with the value, since both come from the same exponentials."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, dim: int, t_p: float, t_n: float, bias: float
    ) -> tuple[Tensor, Tensor]:
        labels = targets.to(logits.dtype)
        # The two summands of eq. 14.
        negative, negative_weights = masked.logsumexp_and_weights(logits, labels.eq(NEGATIVE), dim, t_n)
        positive, positive_weights = masked.logsumexp_and_weights(-logits, labels.eq(POSITIVE), dim, t_p)
        difference = negative + positive + bias
        slope = difference.sigmoid().unsqueeze(dim)  # of the softplus
        ctx.save_for_backward(negative_weights.sub_(positive_weights).mul_(slope))
        ctx.dim = dim
        counts = difference != -torch.inf
        ctx.mark_non_differentiable(counts)
        return F.softplus(difference), counts

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grad.unsqueeze(ctx.dim), None, None, None, None, None


class TwoWayLoss(nn.Module):
    """See `two_way` for the parameters, `mean_over_groups` for the ways.

    Called with logits float (M, C) and targets int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED; returns a scalar in
    float32, or in float64 for logits in float64.

    Raises:
        ValueError: a temperature that is negative or not finite, a bias that is not finite, an unknown way.
    """

    def __init__(
        self,
        positive_temperature: float = 4.0,
        negative_temperature: float = 1.0,
        way: str = "both",
        logit_bias: float = 0.0,
    ) -> None:
        super().__init__()
        for name, temperature in (("positive", positive_temperature), ("negative", negative_temperature)):
            if not 0 <= temperature < math.inf:
                raise ValueError(f"{name}_temperature: expected a number of at least 0, got {temperature}.")
        if not math.isfinite(logit_bias):
            raise ValueError(f"logit_bias: expected a finite number, got {logit_bias}.")
        check_way(way)
        self.positive_temperature = positive_temperature
        self.negative_temperature = negative_temperature
        self.way = way
        self.logit_bias = logit_bias

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        check_bucket(logits, targets)
        criterion = partial(
            two_way,
            positive_temperature=self.positive_temperature,
            negative_temperature=self.negative_temperature,
            logit_bias=self.logit_bias,
        )
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return mean_over_groups(criterion, logits, targets, self.way)

    def extra_repr(self) -> str:
        return (
            f"positive_temperature={self.positive_temperature}, negative_temperature={self.negative_temperature}, "
            f"way={self.way!r}, logit_bias={self.logit_bias}"
        )
