"""Reduce over the members of a mask along one dimension. No other module treats rows without members.

A mask is bool, or 0 and 1 in the dtype of the values, which is faster on a CPU. Values outside the mask are replaced.
To shift them by a constant instead would let them leak at a low temperature.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Stands for a temperature of zero, the limit in which T log sum exp(x / T) is the maximum. To divide by a power of two
# is exact, and it moves two logits that differ so far apart that the exponential of the lower one vanishes.
ZERO_TEMPERATURE = 2.0**-80


def mean(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Return the mean over the members; 0 for a row without members.

    Args:
        values: float, of any shape.
        mask: bool, of the shape of `values`.
        dim: the dimension to reduce.

    Returns:
        the means, of the shape of `values` without `dim`.

    Examples:
        >>> import torch
        >>> mask = torch.tensor([[True, False, True], [False, False, False]])
        >>> mean(torch.tensor([[1.0, 5.0, 3.0], [2.0, 4.0, 6.0]]), mask, dim=1)
        tensor([2., 0.])
    """
    return torch.where(mask, values, 0).sum(dim) / mask.sum(dim).clamp_(min=1)


def maximum(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Return the maximum over the members; -inf for a row without members. Equal maxima share the gradient.

    Args:
        values: float, of any shape.
        mask: of the shape of `values`: bool, or 0 and 1 of their dtype.
        dim: the dimension to reduce.

    Returns:
        the maxima, of the shape of `values` without `dim`.

    Examples:
        >>> import torch
        >>> mask = torch.tensor([[True, False, True], [False, False, False]])
        >>> maximum(torch.tensor([[1.0, 5.0, 3.0], [2.0, 4.0, 6.0]]), mask, dim=1)
        tensor([3., -inf])
    """
    maxima = keep(values, mask).amax(dim)
    return maxima.masked_fill(_is_outside(maxima), -torch.inf)


def logsumexp(values: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Return the log of the sum of the exponentials of the members; -inf for a row without members.

    Args:
        values: float, of any shape.
        mask: of the shape of `values`: bool, or 0 and 1 of their dtype.
        dim: the dimension to reduce.

    Returns:
        the results, of the shape of `values` without `dim`.

    Examples:
        >>> import torch
        >>> mask = torch.tensor([[True, True, False], [False, False, False]])
        >>> logsumexp(torch.tensor([[0.0, 0.0, 9.0], [2.0, 4.0, 6.0]]), mask, dim=1)  # log 2
        tensor([0.6931,   -inf])
    """
    result: Tensor = _LogSumExp.apply(values, mask, dim)
    return result


def keep(values: Tensor, mask: Tensor, out: Tensor | None = None) -> Tensor:
    """Keep the members and put elsewhere a number far below every logit, yet finite, so that no row becomes NaN.

    The minimum with a ceiling, high inside and low outside, takes half the time of `torch.where` on a CPU.

    Args:
        values: float, of any shape.
        mask: of the shape of `values`: bool, or 0 and 1 of their dtype.
        out: the tensor to write to. None makes one.

    Returns:
        float, of the shape and dtype of `values`.

    Examples:
        >>> import torch
        >>> keep(torch.tensor([1.0, 5.0]), torch.tensor([True, False])) > torch.tensor([0.9, -1e30])
        tensor([ True, False])
    """
    ceiling = (mask.to(values.dtype) - 0.5).mul_(-2 * _outside(values.dtype))
    return torch.minimum(values, ceiling, out=out)


def logsumexp_and_weights(kept: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return the `logsumexp` of what `keep` has kept, and its gradient.

    Args:
        kept: float, of any shape, from `keep`.
        dim: the dimension to reduce.

    Returns:
        the results, of the shape of `kept` without `dim`, and their gradient, of the shape of `kept`. The gradient is
        made of weights that sum to 1 and are exactly 0 for non-members. In a row without members they are finite and
        mean nothing.

    Examples:
        >>> import torch
        >>> kept = keep(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[True, True, False]]))
        >>> logsumexp_and_weights(kept, dim=1)
        (tensor([0.6931]), tensor([[0.5000, 0.5000, 0.0000]]))
    """
    weights = torch.softmax(kept, dim)
    maxima = kept.amax(dim)
    # A row's largest weight is exp(maximum - log sum exp).
    result = maxima - weights.amax(dim).log()
    return result.masked_fill(_is_outside(maxima), -torch.inf), weights


class _LogSumExp(torch.autograd.Function):
    """Save the weights, which are the gradient, where a graph would compute the exponentials again."""

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
