"""Compute the two-way multi-label loss: Kobayashi, "Two-way Multi-Label Loss", CVPR 2023."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_at_least_zero, check_finite
from margin_bench.losses.ways import check_way, groups
from margin_bench.targets import negatives, positives

BOTH_SIDES, POSITIVE_SIDE = "both_sides", "positive"


def two_way(
    logits: Tensor,
    targets: Tensor,
    *,
    positive_temperature: float,
    negative_temperature: float,
    way: str,
    logit_bias: float,
    denominator: str = BOTH_SIDES,
) -> Tensor:
    """Return the softplus of the hard negative plus the hard positive of each group (eq. 14), averaged over the groups.

    softplus(T_N log sum_n exp(x_n / T_N) + T_P log sum_p exp(-x_p / T_P) + logit_bias)

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_temperature: T_P >= 0. The larger, the larger the margin it asks for; zero takes the minimum of the
            positives.
        negative_temperature: T_N >= 0. Zero takes the maximum of the negatives.
        way: `sample` (eq. 15), `class` (eq. 16), `both` (eq. 17) or `joint` (eq. 22); see
            `margin_bench.losses.ways.groups`.
        logit_bias: is added inside the softplus (Table 2).
        denominator: which groups the mean is taken over: `both_sides`, those with a positive and a negative, or
            `positive`, those with a positive, as in the paper's published code. A group without negatives costs
            nothing; there are such where entries are unlabeled.

    Returns:
        a scalar, in float32 at least, the mean over the groups that `denominator` says. For `both` it is the sum of the
        two means. It is zero, with a gradient of zeros, if no group counts.

    Raises:
        TypeError: the logits or the targets are of a wrong dtype.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 0, 0]], dtype=torch.int8)
        >>> temperatures = {"positive_temperature": 1.0, "negative_temperature": 1.0}
        >>> two_way(logits, targets, **temperatures, way="sample", logit_bias=0.0)  # softplus(log 2) = log 3
        tensor(1.0986)
    """
    logits, targets, dims = groups(logits, targets, way)
    if logits.numel() == 0:
        return logits.sum()  # zero
    t_p, t_n = (max(t, masked.ZERO_TEMPERATURE) for t in (positive_temperature, negative_temperature))
    loss: Tensor = _TwoWay.apply(logits, targets, dims, t_p, t_n, logit_bias, denominator == POSITIVE_SIDE)
    return loss


class _TwoWay(torch.autograd.Function):
    """Compute the gradient along with the loss, as both are made of the same exponentials."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        targets: Tensor,
        dims: tuple[int, ...],
        t_p: float,
        t_n: float,
        bias: float,
        counts_positives: bool,
    ) -> Tensor:
        kept = logits.new_empty(2, *logits.shape)  # one tensor, as two half the size take longer to reduce
        masked.keep(logits / t_n, negatives(targets, logits.dtype), out=kept[0])
        masked.keep(logits / -t_p, positives(targets, logits.dtype), out=kept[1])
        loss, gradient = logits.new_zeros(()), torch.zeros_like(kept[0])
        for dim in dims:
            (negative, positive), (negative_weights, positive_weights) = masked.logsumexp_and_weights(kept, dim - 2)
            difference = t_n * negative + t_p * positive + bias  # inside eq. 14; -inf if either has no members
            counts = difference != -torch.inf
            counted = positive != -torch.inf if counts_positives else counts
            share = counts / counted.sum(dtype=logits.dtype).clamp(min=1)
            loss += (F.softplus(difference) * share).sum()
            slope = difference.sigmoid() * share  # of the softplus, in the mean
            gradient.addcmul_(negative_weights.sub_(positive_weights), slope.unsqueeze(dim))
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None, None, None


class TwoWayLoss(nn.Module):
    """Compute `two_way` with parameters that are given once.

    Args:
        positive_temperature: as for `two_way`.
        negative_temperature: as for `two_way`.
        way: as for `two_way`.
        logit_bias: as for `two_way`.
        denominator: as for `two_way`.

    Raises:
        ValueError: a temperature is negative or not finite, the bias is not finite, or the way or the denominator is
            unknown.

    Examples:
        >>> import torch
        >>> loss = TwoWayLoss(positive_temperature=4.0, negative_temperature=1.0, way="both")
        >>> logits = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], requires_grad=True)
        >>> targets = torch.tensor([[1, 0, 0], [0, 1, -1]], dtype=torch.int8)
        >>> value = loss(logits, targets)  # samples: (log 3 + log 2) / 2; classes: (log(1 + e) + log(1 + 1/e)) / 2
        >>> round(value.item(), 4)
        1.7091
        >>> value.backward()
        >>> logits.grad[1, 2].item()  # unlabeled
        0.0
    """

    def __init__(
        self,
        positive_temperature: float = 4.0,
        negative_temperature: float = 1.0,
        way: str = "both",
        logit_bias: float = 0.0,
        denominator: str = BOTH_SIDES,
    ) -> None:
        super().__init__()
        check_at_least_zero(positive_temperature=positive_temperature, negative_temperature=negative_temperature)
        check_finite(logit_bias=logit_bias)
        check_way(way)
        if denominator not in (BOTH_SIDES, POSITIVE_SIDE):
            raise ValueError(f"denominator: expected {BOTH_SIDES} or {POSITIVE_SIDE}, got {denominator!r}.")
        self.positive_temperature = positive_temperature
        self.negative_temperature = negative_temperature
        self.way = way
        self.logit_bias = logit_bias
        self.denominator = denominator

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a bucket.

        Args:
            logits: float (M, C).
            targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

        Returns:
            a scalar, as `two_way` gives it.
        """
        return two_way(
            logits,
            targets,
            positive_temperature=self.positive_temperature,
            negative_temperature=self.negative_temperature,
            way=self.way,
            logit_bias=self.logit_bias,
            denominator=self.denominator,
        )

    def extra_repr(self) -> str:
        """Return the parameters, for `repr`."""
        return (
            f"positive_temperature={self.positive_temperature}, negative_temperature={self.negative_temperature}, "
            f"way={self.way!r}, logit_bias={self.logit_bias}, denominator={self.denominator!r}"
        )
