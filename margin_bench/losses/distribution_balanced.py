"""Compute the distribution-balanced loss.

Wu et al., "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets", ECCV 2020.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero, check_finite
from margin_bench.losses.pointwise import PointwiseLoss
from margin_bench.targets import positives


def distribution_balanced(
    logits: Tensor,
    targets: Tensor,
    *,
    class_frequencies: Tensor,
    alpha: float,
    beta: float,
    mu: float,
    negative_scale: float,
    prior_scale: float,
    gamma: float,
) -> Tensor:
    """Return a focal loss with re-balanced weights, its logits shifted by the class prior and scaled for the negatives.

    The weight is alpha + sigmoid(beta (r - mu)), where r = (1 / n_c) / sum_j 1 / n_j compares the number n_c of
    positives of the class with those of all positive classes j of the sample (eq. 4 and 5 of Wu et al.).

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_frequencies: integers (2, C), how many positives and how many negatives each class has in the training
            set. 0 counts as 1.
        alpha: the least weight.
        beta: how steeply the weight rises with r.
        mu: the r in the middle of the rise.
        negative_scale: lambda, how steep the side of the negatives is, at the same slope far out (eq. 6 of Wu et al.).
        prior_scale: kappa, how much of the log-odds of a class shifts its logits.
        gamma: as for the focal loss; 0 leaves it out.

    Returns:
        float (M, C), what each entry costs.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8)
        >>> balanced = {"class_frequencies": torch.tensor([[5, 5], [5, 5]]), "prior_scale": 1.0, "negative_scale": 2.0}
        >>> weights = {"alpha": 0.5, "beta": 1.0, "mu": 1.0}  # r = 1, so a weight of 0.5 + sigmoid(0)
        >>> distribution_balanced(logits, targets, **balanced, **weights, gamma=0.0)  # log 2 and log 2 / 2
        tensor([[0.6931, 0.3466]])
    """
    num_positives, num_negatives = class_frequencies.to(logits.dtype).clamp(min=1)
    is_positive = positives(targets)
    # r = (1 / n_c) / sum_j 1 / n_j over the positives j of the sample (eq. 4 there). Without a positive it is infinite.
    ratio = (1 / num_positives) / torch.where(is_positive, 1 / num_positives, 0).sum(1, keepdim=True)
    weights = alpha + torch.sigmoid(beta * (ratio - mu))
    log_odds = (num_positives / num_negatives).log()
    shifted = logits + prior_scale / negative_scale * log_odds
    wrong = torch.where(is_positive, -shifted, negative_scale * shifted)
    scales = torch.where(is_positive, 1, 1 / negative_scale)
    losses = F.softplus(wrong)
    return weights * scales * torch.exp(gamma * (wrong - losses)) * losses  # sigmoid(wrong)^gamma softplus(wrong)


class DistributionBalancedLoss(PointwiseLoss):
    """Average `distribution_balanced` over the labeled entries, times a factor.

    Args:
        alpha: as for `distribution_balanced`.
        beta: as for `distribution_balanced`.
        mu: as for `distribution_balanced`.
        negative_scale: as for `distribution_balanced`.
        prior_scale: as for `distribution_balanced`.
        gamma: as for `distribution_balanced`.
        scale: the factor on the mean.
        class_frequencies: as for `distribution_balanced`; a run counts them on its training targets.

    Raises:
        ValueError: alpha or gamma is below zero; beta, negative_scale or the scale is not above zero; or a parameter is
            not finite.

    Examples:
        >>> import torch
        >>> loss = DistributionBalancedLoss(
        ...     alpha=0.5, beta=1.0, mu=1.0, negative_scale=1.0, prior_scale=0.0, gamma=0.0, scale=2.0,
        ...     class_frequencies=torch.tensor([[5, 5], [5, 5]]),
        ... )
        >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]], dtype=torch.int8))  # twice the mean of log 2
        tensor(1.3863)
    """

    def __init__(
        self,
        *,
        alpha: float,
        beta: float,
        mu: float,
        negative_scale: float,
        prior_scale: float,
        gamma: float,
        scale: float,
        class_frequencies: Tensor,
    ) -> None:
        check_at_least_zero(alpha=alpha, gamma=gamma)
        check_above_zero(beta=beta, negative_scale=negative_scale, scale=scale)
        check_finite(mu=mu, prior_scale=prior_scale)
        super().__init__(
            distribution_balanced,
            scale=scale,
            class_frequencies=class_frequencies,
            alpha=alpha,
            beta=beta,
            mu=mu,
            negative_scale=negative_scale,
            prior_scale=prior_scale,
            gamma=gamma,
        )
