"""The two-way multi-label loss: Kobayashi, "Two-way Multi-Label Loss", CVPR 2023."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_at_least_zero, check_finite
from margin_bench.losses.ways import check_way, groups
from margin_bench.targets import negatives, positives


def two_way(
    logits: Tensor,
    targets: Tensor,
    *,
    positive_temperature: float,
    negative_temperature: float,
    way: str,
    logit_bias: float,
) -> Tensor:
    """Softplus of the hard negative minus the hard positive of each group (eq. 14), averaged over the groups.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_temperature: T_P >= 0. Larger asks for a larger margin; zero takes the minimum of the positives.
        negative_temperature: T_N >= 0. Zero takes the maximum of the negatives.
        way: what a group is; see `margin_bench.losses.ways.groups`.
        logit_bias: added inside the softplus (Table 2).

    Returns:
        a scalar, in float32 at least: the mean over the groups with a positive and a negative, in both ways the sum
        of the two means (eq. 17); zero, with a gradient of zeros, if there are none.

    Raises:
        TypeError, ValueError: from `margin_bench.targets.check_bucket`.
    """
    logits, targets, dims = groups(logits, targets, way)
    if logits.numel() == 0:
        return logits.sum()  # zero
    t_p, t_n = (max(t, masked.ZERO_TEMPERATURE) for t in (positive_temperature, negative_temperature))
    loss: Tensor = _TwoWay.apply(logits, targets, dims, t_p, t_n, logit_bias)
    return loss


class _TwoWay(torch.autograd.Function):
    """Computes the gradient along with the loss, as both are made of the same exponentials."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, dims: tuple[int, ...], t_p: float, t_n: float, bias: float
    ) -> Tensor:
        kept = logits.new_empty(2, *logits.shape)  # one tensor, as two half the size take longer to reduce
        masked.keep(logits / t_n, negatives(targets, logits.dtype), out=kept[0])
        masked.keep(logits / -t_p, positives(targets, logits.dtype), out=kept[1])
        loss, gradient = logits.new_zeros(()), torch.zeros_like(kept[0])
        for dim in dims:
            (negative, positive), (negative_weights, positive_weights) = masked.logsumexp_and_weights(kept, dim - 2)
            difference = t_n * negative + t_p * positive + bias  # inside eq. 14; -inf if either has no members
            counts = difference != -torch.inf
            share = counts / counts.sum(dtype=logits.dtype).clamp(min=1)
            loss += (F.softplus(difference) * share).sum()
            slope = difference.sigmoid() * share  # of the softplus, in the mean
            gradient.addcmul_(negative_weights.sub_(positive_weights), slope.unsqueeze(dim))
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None, None


class TwoWayLoss(nn.Module):
    """`two_way` as a module; see there.

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
        check_at_least_zero(positive_temperature=positive_temperature, negative_temperature=negative_temperature)
        check_finite(logit_bias=logit_bias)
        check_way(way)
        self.positive_temperature = positive_temperature
        self.negative_temperature = negative_temperature
        self.way = way
        self.logit_bias = logit_bias

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return two_way(
            logits,
            targets,
            positive_temperature=self.positive_temperature,
            negative_temperature=self.negative_temperature,
            way=self.way,
            logit_bias=self.logit_bias,
        )

    def extra_repr(self) -> str:
        return (
            f"positive_temperature={self.positive_temperature}, negative_temperature={self.negative_temperature}, "
            f"way={self.way!r}, logit_bias={self.logit_bias}"
        )
