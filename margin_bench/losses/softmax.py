"""The softmax loss on normalised labels (eq. 18), as a cross-entropy or as a divergence."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import POSITIVE, UNLABELED


def softmax(logits: Tensor, targets: Tensor, dim: int, *, form: str) -> Tensor:
    """Cross-entropy of the softmax over a group with the labels shared evenly among its positives (eq. 18).

    The Kullback-Leibler divergence is that less the entropy of the labels, log |P|: zero where the fit is perfect, and
    with the same gradient.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        form: `cross_entropy` or `kl`.

    Returns:
        what each group costs.
    """
    labelled = targets.to(logits.dtype).ne_(UNLABELED)  # compared in place, a float mask of 0 and 1 remains
    shares = targets.to(logits.dtype).eq_(POSITIVE)
    num_positives = shares.sum(dim).clamp(min=1)
    shares /= num_positives.unsqueeze(dim)
    value: Tensor = _CrossEntropy.apply(logits, labelled, shares, dim)
    return value - num_positives.log() if form == "kl" else value


class _CrossEntropy(torch.autograd.Function):
    """Saves the gradient, softmax less shares, which comes of the same exponentials as the value."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labelled: Tensor, shares: Tensor, dim: int) -> Tensor:
        log_sum, weights = masked.logsumexp_and_weights(masked.keep(logits, labelled), dim)
        ctx.save_for_backward(weights.sub_(shares))
        ctx.dim = dim
        return log_sum - (shares * logits).sum(dim)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grad.unsqueeze(ctx.dim), None, None, None


class SoftmaxLoss(RelativeLoss):
    """`softmax` as a module; see there.

    Raises:
        ValueError: an unknown form or way.
    """

    def __init__(self, *, form: str, way: str = "both") -> None:
        check_one_of("cross_entropy", "kl", form=form)
        super().__init__(softmax, way, form=form)
