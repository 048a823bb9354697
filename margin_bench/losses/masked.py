"""Reductions over the members of a mask along one dimension: the only place that treats rows without members.

A mask is bool, or 0 and 1 in the dtype of the values, which is faster on a CPU. What is outside the mask is replaced,
never shifted by a constant, so it cannot leak at any temperature.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Stands for a temperature of zero, the limit in which T log sum exp(x / T) is the maximum: scaling by a power of two is
# exact, and of two logits that differ only the larger leaves an exponential.
ZERO_TEMPERATURE = 2.0**-80


def mean(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Mean over the members; 0 for a row without members."""
    return torch.where(mask, values, 0).sum(dim) / mask.sum(dim).clamp_(min=1)


def maximum(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Maximum over the members; -inf for a row without members. Equal maxima share the gradient."""
    maxima = keep(values, mask).amax(dim)
    return maxima.masked_fill(_is_outside(maxima), -torch.inf)


def logsumexp(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Log of the sum of the exponentials of the members; -inf for a row without members."""
    result: Tensor = _LogSumExp.apply(values, mask, dim)
    return result


def keep(values: Tensor, mask: Tensor, out: Tensor | None = None) -> Tensor:
    """The members; elsewhere a number far below every logit, yet finite, so that a row without members is not NaN.

    The minimum with a ceiling, high inside and low outside, takes half the time of `torch.where` on a CPU.
    """
    ceiling = (mask.to(values.dtype) - 0.5).mul_(-2 * _outside(values.dtype))
    return torch.minimum(values, ceiling, out=out)


def logsumexp_and_weights(kept: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """`logsumexp` of what `keep` gives, and its gradient: weights that sum to 1 and are exactly 0 for non-members.

    The weights of a row without members are finite and mean nothing.
    """
    weights = torch.softmax(kept, dim)
    maxima = kept.amax(dim)
    # A row's largest weight is exp(maximum - log sum exp).
    result = maxima - weights.amax(dim).log()
    return result.masked_fill(_is_outside(maxima), -torch.inf), weights


class _LogSumExp(torch.autograd.Function):
    """Saves the weights, which are the gradient, where a graph would compute the exponentials again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor, dim: int) -> Tensor:
        result, weights = logsumexp_and_weights(keep(values, mask), dim)
        ctx.save_for_backward(weights, result != -torch.inf)
        ctx.dim = dim
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        weights, has_members = ctx.saved_tensors
        return weights * (grad * has_members).unsqueeze(ctx.dim), None, None


def _outside(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).min / 4


def _is_outside(maxima: Tensor) -> Tensor:
    return maxima <= _outside(maxima.dtype)
