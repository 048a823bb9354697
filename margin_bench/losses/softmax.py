"""Compute the softmax loss on normalised labels (eq. 18), as a cross-entropy or as a divergence."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labeled, may_hold_unlabeled, positives


def softmax(logits: Tensor, targets: Tensor, dim: int, *, form: str) -> Tensor:
    """Return the cross-entropy of the softmax over a group, its label shared evenly by the positives (eq. 18).

    The Kullback-Leibler divergence is that minus the entropy of the labels, log |P|. It is zero where the fit is
    perfect, and has the same gradient.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        form: `cross_entropy` or `kl`.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 1, 0]], dtype=torch.int8)
        >>> softmax(logits, targets, 1, form="cross_entropy")  # log 3
        tensor([1.0986])
        >>> softmax(logits, targets, 1, form="kl")  # log 3 - log 2
        tensor([0.4055])
    """
    is_positive = positives(targets, logits.dtype)
    num_positives = is_positive.sum(dim).clamp_(min=1)
    if may_hold_unlabeled(targets):
        logits = masked.keep(logits, labeled(targets, logits.dtype))
    value = -(logits.log_softmax(dim) * is_positive).sum(dim) / num_positives
    return value - num_positives.log() if form == "kl" else value


class SoftmaxLoss(RelativeLoss):
    """Average `softmax` over the groups that count.

    Args:
        form: as for `softmax`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the form or the way is unknown.

    Examples:
        >>> import torch
        >>> loss = SoftmaxLoss(form="cross_entropy", way="sample")
        >>> loss(torch.zeros(1, 3), torch.tensor([[1, 1, 0]], dtype=torch.int8))  # log 3
        tensor(1.0986)
    """

    def __init__(self, *, form: str, way: str = "both") -> None:
        check_one_of("cross_entropy", "kl", form=form)
        super().__init__(softmax, way, form=form)
