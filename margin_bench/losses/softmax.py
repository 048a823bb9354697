"""The softmax loss on normalised labels (eq. 18), as a cross-entropy or as a divergence."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.parameters import check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labelled, may_hold_unlabeled, positives


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
    is_positive = positives(targets, logits.dtype)
    num_positives = is_positive.sum(dim).clamp_(min=1)
    if may_hold_unlabeled(targets):
        logits = masked.keep(logits, labelled(targets, logits.dtype))
    value = -(logits.log_softmax(dim) * is_positive).sum(dim) / num_positives
    return value - num_positives.log() if form == "kl" else value


class SoftmaxLoss(RelativeLoss):
    """`softmax` as a module; see there.

    Raises:
        ValueError: an unknown form or way.
    """

    def __init__(self, *, form: str, way: str = "both") -> None:
        check_one_of("cross_entropy", "kl", form=form)
        super().__init__(softmax, way, form=form)
