"""Mining: which negative each positive of a group is compared with, where a loss does not take all pairs."""

import torch
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.targets import negatives

MINING = ("all", "hardest", "semi_hard", "random")


def mined_negatives(logits: Tensor, targets: Tensor, dim: int, *, mining: str, seed: int) -> Tensor:
    """The logit of the negative that each entry, taken as a positive, is compared with.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: along which a group lies.
        mining: `hardest`, the group's highest negative; `semi_hard`, the highest one below the entry (Schroff et al.,
            "FaceNet", CVPR 2015), or the lowest if all are above it; `random`, each with the same probability.
        seed: of the random draw, a function of it and of the place in the bucket, whose rows are shuffled: so it is the
            same for a resumed run and for any number of processes.

    Returns:
        float (M, C); -inf in a group without a negative.
    """
    if mining == "hardest":
        return masked.maximum(logits, negatives(targets), dim).unsqueeze(dim).expand_as(logits)
    values, is_negative = logits.movedim(dim, -1).contiguous(), negatives(targets).movedim(dim, -1)
    pick = _semi_hard if mining == "semi_hard" else _random
    return pick(values, is_negative, seed).movedim(-1, dim)


def _semi_hard(values: Tensor, is_negative: Tensor, seed: int) -> Tensor:
    ascending = masked.keep(values, is_negative).sort(-1).values  # the negatives come last
    highest_below = torch.searchsorted(ascending.detach(), values.detach()) - 1
    lowest = (~is_negative).sum(-1, keepdim=True)
    position = torch.maximum(highest_below, lowest).clamp(max=values.shape[-1] - 1)
    return ascending.gather(-1, position).masked_fill(lowest == values.shape[-1], -torch.inf)


def _random(values: Tensor, is_negative: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(values.device).manual_seed(seed)
    draws = torch.rand(values.shape, generator=generator, device=values.device)
    count = is_negative.cumsum(-1)
    total = count[..., -1:]
    number = (draws * total).long().clamp(max=total - 1) + 1  # of the negative, from 1
    position = torch.searchsorted(count, number).clamp(max=values.shape[-1] - 1)
    return values.gather(-1, position).masked_fill(total == 0, -torch.inf)
