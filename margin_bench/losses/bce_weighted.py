"""The binary cross-entropy weighted by class frequencies: Pham et al., "Learning to Predict Visual Attributes in the
Wild", CVPR 2021 (the VAW data set)."""

import torch
from torch import Tensor

from margin_bench.losses.bce import bce
from margin_bench.losses.parameters import check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss


def bce_weighted(logits: Tensor, targets: Tensor, *, positive_weights: Tensor, negative_weights: Tensor) -> Tensor:
    """The binary cross-entropy times a weight of the class and the side.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_weights, negative_weights: (C,), as from `weights_of_classes`.

    Returns:
        what each entry costs, (M, C).
    """
    positive_weights, negative_weights = positive_weights.to(logits.dtype), negative_weights.to(logits.dtype)
    weights = torch.lerp(negative_weights, positive_weights, targets.to(logits.dtype))
    return weights * bce(logits, targets)


def weights_of_classes(class_frequencies: Tensor, rarity_exponent: float) -> tuple[Tensor, Tensor]:
    """The weights of the positives and of the negatives of each class: w_c 2 n_neg / n and w_c 2 n_pos / n.

    Both sides of a class, n_pos and n_neg of n, then weigh the same in all. w_c, proportional to n_pos^-rarity_exponent
    with a mean of 1 over the classes, lifts the rare classes.

    Args:
        class_frequencies: (2, C), the numbers of positives and of negatives. A class without a positive counts as
            having one.
        rarity_exponent: 0 weighs all classes the same.

    Returns:
        two tensors, float64 (C,).
    """
    num_positives, num_negatives = class_frequencies.double()
    num_positives = num_positives.clamp(min=1)
    rarity = num_positives**-rarity_exponent
    rarity = rarity / rarity.mean()
    share = num_positives / (num_positives + num_negatives)
    return 2 * rarity * (1 - share), 2 * rarity * share


class WeightedBCELoss(PointwiseLoss):
    """`bce_weighted` as a module, with the weights of `weights_of_classes`; see there.

    Raises:
        ValueError: a rarity_exponent that is negative or not finite.
    """

    def __init__(self, *, rarity_exponent: float, class_frequencies: Tensor) -> None:
        check_at_least_zero(rarity_exponent=rarity_exponent)
        positive_weights, negative_weights = weights_of_classes(class_frequencies, rarity_exponent)
        super().__init__(bce_weighted, positive_weights=positive_weights, negative_weights=negative_weights)
        self.rarity_exponent, self.class_frequencies = rarity_exponent, class_frequencies

    def extra_repr(self) -> str:
        return f"rarity_exponent={self.rarity_exponent}, class_frequencies={self.class_frequencies}"
