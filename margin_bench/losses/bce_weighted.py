"""Weight the binary cross-entropy by class frequencies.

Pham et al., "Learning to Predict Visual Attributes in the Wild", CVPR 2021 (the VAW data set).
"""

import torch
from torch import Tensor

from margin_bench.losses.bce import bce
from margin_bench.losses.parameters import check_at_least_zero
from margin_bench.losses.pointwise import PointwiseLoss


def bce_weighted(logits: Tensor, targets: Tensor, *, positive_weights: Tensor, negative_weights: Tensor) -> Tensor:
    """Return the binary cross-entropy times a weight, which depends on the class and on the label.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        positive_weights: float (C,), of the positives of each class, as from `weights_of_classes`.
        negative_weights: float (C,), of the negatives of each class.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> weights = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 3.0])
        >>> bce_weighted(logits, targets, positive_weights=weights[0], negative_weights=weights[1])  # 2 and 3 log 2
        tensor([[1.3863, 2.0794]])
    """
    positive_weights, negative_weights = positive_weights.to(logits.dtype), negative_weights.to(logits.dtype)
    weights = torch.lerp(negative_weights, positive_weights, targets.to(logits.dtype))
    return weights * bce(logits, targets)


def weights_of_classes(class_frequencies: Tensor, rarity_exponent: float) -> tuple[Tensor, Tensor]:
    """Return the weights of the positives and of the negatives of each class: 2 w n_neg / n and 2 w n_pos / n.

    With them the positives and the negatives of a class, n_pos and n_neg of n, weigh the same in all. w is proportional
    to n_pos^-rarity_exponent with a mean of 1 over the classes, so it lifts the rare classes.

    Args:
        class_frequencies: integers (2, C), how many positives and how many negatives each class has. A class without a
            positive counts as having one.
        rarity_exponent: 0 weighs all classes the same.

    Returns:
        two tensors, float64 (C,).

    Examples:
        >>> import torch
        >>> positive_weights, negative_weights = weights_of_classes(torch.tensor([[1, 5], [9, 5]]), rarity_exponent=0.0)
        >>> positive_weights.tolist(), negative_weights.tolist()
        ([1.8, 1.0], [0.2, 1.0])
    """
    num_positives, num_negatives = class_frequencies.double()
    num_positives = num_positives.clamp(min=1)
    rarity = num_positives**-rarity_exponent
    rarity = rarity / rarity.mean()
    share = num_positives / (num_positives + num_negatives)
    return 2 * rarity * (1 - share), 2 * rarity * share


class WeightedBCELoss(PointwiseLoss):
    """Average `bce_weighted` over the labeled entries, with the weights of `weights_of_classes`.

    Args:
        rarity_exponent: as for `weights_of_classes`.
        class_frequencies: as for `weights_of_classes`; a run counts them on its training targets.

    Raises:
        ValueError: the rarity_exponent is negative or not finite.

    Examples:
        >>> import torch
        >>> loss = WeightedBCELoss(rarity_exponent=0.0, class_frequencies=torch.tensor([[1, 5], [9, 5]]))
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # (1.8 + 1) / 2 log 2
        tensor(0.9704)
    """

    def __init__(self, *, rarity_exponent: float, class_frequencies: Tensor) -> None:
        check_at_least_zero(rarity_exponent=rarity_exponent)
        positive_weights, negative_weights = weights_of_classes(class_frequencies, rarity_exponent)
        super().__init__(bce_weighted, positive_weights=positive_weights, negative_weights=negative_weights)
        self.rarity_exponent, self.class_frequencies = rarity_exponent, class_frequencies

    def extra_repr(self) -> str:
        """Return what the weights are made of, for `repr`."""
        return f"rarity_exponent={self.rarity_exponent}, class_frequencies={self.class_frequencies}"
