"""Average a point-wise criterion over the labeled entries.

Such a criterion looks at each logit alone, so the order of the entries means nothing, and there are no groups.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from margin_bench.targets import check_bucket, labeled, may_hold_unlabeled, positives

# (logits (M, C), targets (M, C)) -> what each entry costs, (M, C); finite where it is unlabeled too.
PointwiseCriterion = Callable[[Tensor, Tensor], Tensor]


def mean_over_labeled(criterion: PointwiseCriterion, logits: Tensor, targets: Tensor, *, scale: float = 1.0) -> Tensor:
    """Return the mean of a criterion over the positives and the negatives, times a factor.

    Args:
        criterion: says what each entry costs, given logits in float32 at least. Its value for an unlabeled entry is not
            used.
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        scale: the factor on the mean.

    Returns:
        a scalar, in float32 at least. It is zero, with a gradient of zeros, if no entry is labeled.

    Raises:
        TypeError: the logits or the targets are of a wrong dtype.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> targets = torch.tensor([[1, 0], [-1, 0]], dtype=torch.int8)
        >>> def itself(logits, targets):
        ...     return logits
        >>> mean_over_labeled(itself, torch.tensor([[1.0, 2.0], [3.0, 6.0]]), targets)  # (1 + 2 + 6) / 3
        tensor(3.)
    """
    check_bucket(logits, targets)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    costs = criterion(logits, targets)
    if not may_hold_unlabeled(targets):
        return costs.sum() * (scale / costs.numel())  # the backward of a mean takes a pass over the matrix more
    weights = labeled(targets, logits.dtype)
    weights *= scale / weights.sum().clamp_(min=1)
    return torch.dot(costs.flatten(), weights.flatten())


def wrong_side(logits: Tensor, targets: Tensor) -> Tensor:
    """Return how far each logit lies on its wrong side of zero.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        float (M, C), which is -x of a positive and x of a negative or unlabeled entry.

    Examples:
        >>> import torch
        >>> wrong_side(torch.tensor([[2.0, 3.0]]), torch.tensor([[1, 0]], dtype=torch.int8))
        tensor([[-2.,  3.]])
    """
    signs = positives(targets, logits.dtype).mul_(-2).add_(1)
    return logits * signs


class PointwiseLoss(nn.Module):
    """Average a point-wise criterion over the labeled entries; see `mean_over_labeled`.

    Args:
        criterion: called as `criterion(logits, targets, **parameters)`; see `PointwiseCriterion`.
        scale: the factor on the mean.
        **parameters: keyword arguments of the criterion, checked by the caller. Tensors become buffers, which move with
            the module.

    Examples:
        >>> import torch
        >>> def power(logits, targets, *, exponent):
        ...     return logits**exponent
        >>> loss = PointwiseLoss(power, scale=3.0, exponent=2)
        >>> loss(torch.tensor([[1.0, 3.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # 3 (1 + 9) / 2
        tensor(15.)
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
        """Return the loss of a bucket.

        Args:
            logits: float (M, C).
            targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

        Returns:
            a scalar, as `mean_over_labeled` gives it.
        """
        criterion = partial(self.criterion, **self.criterion_parameters, **dict(self.named_buffers()))
        return mean_over_labeled(criterion, logits, targets, scale=self.scale)

    def extra_repr(self) -> str:
        """Return the parameters, for `repr`, and the scale if it is not 1."""
        shown = self.criterion_parameters | dict(self.named_buffers())
        if self.scale != 1:
            shown["scale"] = self.scale
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())
