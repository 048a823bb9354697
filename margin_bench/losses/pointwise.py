"""A point-wise criterion looks at each logit alone; its loss is the mean over the labelled entries, in any order."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from margin_bench.targets import check_bucket, labelled, may_hold_unlabeled, positives

# (logits (M, C), targets (M, C)) -> what each entry costs, (M, C); finite where it is unlabeled too.
PointwiseCriterion = Callable[[Tensor, Tensor], Tensor]


def mean_over_labelled(criterion: PointwiseCriterion, logits: Tensor, targets: Tensor, *, scale: float = 1.0) -> Tensor:
    """Mean of the criterion over the entries that are positive or negative, times `scale`.

    Args:
        criterion: what each entry costs, given logits in float32 at least; its value for an unlabeled one is not used.
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        a scalar; zero, with a gradient of zeros, if no entry is labelled.

    Raises:
        TypeError, ValueError: from `margin_bench.targets.check_bucket`.
    """
    check_bucket(logits, targets)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    costs = criterion(logits, targets)
    if not may_hold_unlabeled(targets):
        return costs.sum() * (scale / costs.numel())  # the backward of a mean takes a pass over the matrix more
    weights = labelled(targets, logits.dtype)
    weights *= scale / weights.sum().clamp_(min=1)
    return torch.dot(costs.flatten(), weights.flatten())


def wrong_side(logits: Tensor, targets: Tensor) -> Tensor:
    """How far each logit lies on its wrong side of zero: -x of a positive, x of a negative or unlabeled entry."""
    signs = positives(targets, logits.dtype).mul_(-2).add_(1)
    return logits * signs


class PointwiseLoss(nn.Module):
    """A point-wise criterion as a module: `scale` times `mean_over_labelled` with the criterion's own parameters.

    Args:
        criterion: called as `criterion(logits, targets, **parameters)`; see `PointwiseCriterion`.
        scale: factor on the mean.
        parameters: of the criterion, checked by the caller; tensors become buffers, which move with the module.
    """

    def __init__(self, criterion: Callable[..., Tensor], *, scale: float = 1.0, **parameters: Any) -> None:
        super().__init__()
        self.criterion = criterion
        self.scale = scale
        self.criterion_parameters = {}
        for name, value in parameters.items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                self.criterion_parameters[name] = value

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        criterion = partial(self.criterion, **self.criterion_parameters, **dict(self.named_buffers()))
        return mean_over_labelled(criterion, logits, targets, scale=self.scale)

    def extra_repr(self) -> str:
        shown = self.criterion_parameters | dict(self.named_buffers())
        if self.scale != 1:
            shown["scale"] = self.scale
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())
