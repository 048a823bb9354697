"""Reductions over the members of a mask along one dimension: the only place that treats rows without members.

A mask is bool, or 0 and 1 in the dtype of the values, which is faster on a CPU. What is outside is replaced, never
shifted by a constant, so it cannot leak at any temperature.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def mean(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Mean over the members; 0 for a row without members."""
    return torch.where(mask, values, 0).sum(dim) / mask.sum(dim).clamp(min=1)


def maximum(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Maximum over the members; -inf for a row without members. Equal maxima share the gradient."""
    return logsumexp(values, mask, dim, temperature=0)


def logsumexp(values: Tensor, mask: Tensor, dim: int, temperature: float = 1) -> Tensor:
    """T log sum exp(x / T) over the members x of each row along `dim`; -inf for a row without members.

    Args:
        values: float, of any shape.
        mask: of the shape of `values`.
        dim: the dimension to reduce.
        temperature: T >= 0; zero is the limit, the maximum.
    """
    result: Tensor = _LogSumExp.apply(values, mask, dim, temperature)  # type: ignore[no-untyped-call]
    return result


def logsumexp_and_weights(values: Tensor, mask: Tensor, dim: int, temperature: float) -> tuple[Tensor, Tensor]:
    """`logsumexp`, and its gradient with respect to the values: weights that sum to 1, exactly 0 for non-members.

    The weights of a row without members are finite and without meaning.
    """
    scaled = values if temperature in (0, 1) else values / temperature
    kept = _keep(scaled, mask)
    maxima = kept.amax(dim)
    members_maxima = maxima.masked_fill(maxima <= _outside(kept.dtype), -torch.inf)
    if temperature == 0:
        ties = (kept == maxima.unsqueeze(dim)).to(kept.dtype)
        return members_maxima, ties / ties.sum(dim, keepdim=True)
    weights = torch.softmax(kept, dim)
    # A row's largest weight is exp(maximum - log sum exp).
    return temperature * (members_maxima - weights.amax(dim).log()), weights


class _LogSumExp(torch.autograd.Function):
    """Keeps the weights of the forward pass, which are the gradient, instead of a graph."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor, dim: int, temperature: float) -> Tensor:
        result, weights = logsumexp_and_weights(values, mask, dim, temperature)
        ctx.save_for_backward(weights, result != -torch.inf)
        ctx.dim = dim
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        weights, has_members = ctx.saved_tensors
        return weights * (grad * has_members).unsqueeze(ctx.dim), None, None, None


def _keep(values: Tensor, mask: Tensor) -> Tensor:
    """The members of the mask; elsewhere a number far below every logit, yet finite, so that no row becomes NaN.

    The minimum with a ceiling, high inside and low outside, takes half the time of `torch.where` on a CPU.
    """
    ceiling = (mask.to(values.dtype) - 0.5).mul_(-2 * _outside(values.dtype))
    return torch.minimum(values, ceiling)


def _outside(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).min / 4
