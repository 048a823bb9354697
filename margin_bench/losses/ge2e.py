"""Compute the generalised end-to-end loss.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018.
"""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def ge2e(logits: Tensor, targets: Tensor, dim: int, *, form: str, bias: float) -> Tensor:
    """Compare the similarity to the right centroids with that to the others, as a softmax or a contrast.

    - softmax: the mean over p of -x_p + log(exp(x_p) + sum_n exp(x_n)), as `infonce` (eq. 6 of Wan et al.)
    - contrast: the mean over p of 1 - sigmoid(x_p + b), plus max_n sigmoid(x_n + b) (eq. 7 of Wan et al.)

    The class vectors of a cosine head stand for the centroids, and its learned scale for w. The mean over the positives
    extends both forms to samples of several classes.

    Args:
        logits: float (M, C), the cosines times w.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        form: `softmax` or `contrast`.
        bias: b, which the softmax does not see.

    Returns:
        float (M,) for dim=1, (C,) for dim=0, what each group costs. Equal highest negatives share the slope of the
        contrast.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[1.0, 3.0]]).log(), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> ge2e(logits, targets, 1, form="softmax", bias=0.0)  # log(1 + 3)
        tensor([1.3863])
        >>> ge2e(logits, targets, 1, form="contrast", bias=0.0)  # 1 - 1/2 + 3/4
        tensor([1.2500])
    """
    if form == "softmax":
        return infonce(logits, targets, dim, temperature=1.0)
    probabilities = (logits + bias).sigmoid()
    return (
        1 - masked.mean(probabilities, positives(targets), dim) + masked.maximum(probabilities, negatives(targets), dim)
    )


class GE2ELoss(RelativeLoss):
    """Average `ge2e` over the groups that count.

    Args:
        form: as for `ge2e`.
        bias: as for `ge2e`.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the form or the way is unknown, or the bias is not finite.

    Examples:
        >>> import torch
        >>> loss = GE2ELoss(form="contrast", bias=-5.0, way="sample")
        >>> loss(torch.tensor([[5.0, 5.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # 1 - 1/2 + 1/2
        tensor(1.)
    """

    def __init__(self, *, form: str, bias: float, way: str = "both") -> None:
        check_one_of("softmax", "contrast", form=form)
        check_finite(bias=bias)
        super().__init__(ge2e, way, form=form, bias=bias)
