"""The multi-class hinge in its sum form: Weston and Watkins, 1999; torch.nn.MultiMarginLoss."""

from torch import Tensor

from margin_bench.losses.pairs import hinge_sum
from margin_bench.losses.parameters import check_finite, check_one_of
from margin_bench.losses.ways import RelativeLoss
from margin_bench.targets import labelled, positives


def weston_watkins(logits: Tensor, targets: Tensor, dim: int, *, margin: float, power: int) -> Tensor:
    """Sum over n of max(0, margin - x_p + x_n)^power, over the number of labelled entries; mean over the positives.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        margin: by which a positive is to stand above a negative.
        power: 1 or 2. At the kink of the first the slope is that of either side.

    Returns:
        what each group costs.
    """
    num_positives = positives(targets, logits.dtype).sum(dim)
    num_labelled = labelled(targets, logits.dtype).sum(dim)
    sums = hinge_sum(logits, targets, dim, margin=margin, power=power)
    return sums / (num_positives * num_labelled).clamp(min=1)


class WestonWatkinsLoss(RelativeLoss):
    """`weston_watkins` as a module; see there.

    Raises:
        ValueError: a margin that is not finite, another power, an unknown way.
    """

    def __init__(self, *, margin: float, power: int, way: str = "both") -> None:
        check_finite(margin=margin)
        check_one_of(1, 2, power=power)
        super().__init__(weston_watkins, way, margin=margin, power=power)
