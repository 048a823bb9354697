"""The distribution-balanced loss: Wu et al., "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed
Datasets", ECCV 2020."""

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
    """A focal loss with re-balanced weights, whose logits are shifted by the class prior and scaled for the negatives.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        class_frequencies: (2, C), the numbers of positives and of negatives in the training set. A class without the
            one or the other counts as having one.
        alpha, beta, mu: the map alpha + sigmoid(beta (r - mu)) of the ratio r (eq. 5 there).
        negative_scale: lambda: how steep the negatives' side is, at the same slope far out (eq. 6 there).
        prior_scale: kappa: how much of the log-odds of a class shifts its logits.
        gamma: as of the focal loss; 0 leaves it out.

    Returns:
        what each entry costs, (M, C).
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
    """`distribution_balanced` as a module; see there.

    Args:
        scale: factor on the mean over the labelled entries.

    Raises:
        ValueError: an alpha or gamma below zero; a beta, negative_scale or scale not above zero; any that is not
            finite.
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
