"""The generalised end-to-end loss: Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018."""

from torch import Tensor

from margin_bench.losses import masked
from margin_bench.losses.infonce import infonce
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import negatives, positives


def ge2e(logits: Tensor, targets: Tensor, dim: int, *, form: str, bias: float) -> Tensor:
    """Similarity of samples to the centroids of their classes, as softmax (eq. 6 of the paper) or contrast (eq. 7).

    The class vectors of a cosine head stand for the centroids and its learned scale for w; the mean over the positives
    generalises both forms to several classes of a sample.

    softmax: -x_p + log(exp(x_p) + sum_n exp(x_n)), as `infonce`
    contrast: 1 - sigmoid(x_p + b) + max_n sigmoid(x_n + b)

    Args:
        logits: float (M, C), w cos.
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        form: `softmax` or `contrast`.
        bias: b, which the softmax does not see.

    Returns:
        what each group costs. Equal highest negatives share the slope.
    """
    if form == "softmax":
        return infonce(logits, targets, dim, temperature=1.0)
    probabilities = (logits + bias).sigmoid()
    return (
        1 - masked.mean(probabilities, positives(targets), dim) + masked.maximum(probabilities, negatives(targets), dim)
    )


class GE2ELoss(RelativeLoss):
    """`ge2e` as a module; see there.

    Raises:
        ValueError: an unknown form or way, a bias that is not finite.
    """

    def __init__(self, *, form: str, bias: float, way: str = "both") -> None:
        check_one_of("softmax", "contrast", form=form)
        check_finite(bias=bias)
        super().__init__(ge2e, way, form=form, bias=bias)
