"""Choose which negative each positive of a group is compared with, where a loss does not take all pairs."""

import torch
from torch import Tensor

from margin_bench.losses import masked
from margin_bench.targets import negatives

MINING = ("all", "hardest", "semi_hard", "random")


def mined_negatives(logits: Tensor, targets: Tensor, dim: int, *, mining: str, seed: int) -> Tensor:
    """Return, for each entry taken as a positive, the logit of the negative that it is compared with.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.
        dim: the dimension along which a group lies.
        mining: `hardest` takes the highest negative of the group; `semi_hard` the highest one below the entry, or the
            lowest if all stand above it (Schroff et al., "FaceNet", CVPR 2015); `random` any, with the same
            probability.
        seed: of the random draw. The draw depends on it and on the place in the bucket alone, so it is the same for a
            resumed run and for any number of processes. It is no fixed choice, since the rows of a bucket are shuffled.

    Returns:
        float (M, C); -inf in a group without a negative.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[5.0, 4.0, 3.0, 2.0]]), torch.tensor([[1, 0, 1, 0]], dtype=torch.int8)
        >>> mined_negatives(logits, targets, 1, mining="hardest", seed=0)
        tensor([[4., 4., 4., 4.]])
        >>> mined_negatives(logits, targets, 1, mining="semi_hard", seed=0)
        tensor([[4., 2., 2., 2.]])
    """
    if mining == "hardest":
        return masked.maximum(logits, negatives(targets), dim).unsqueeze(dim).expand_as(logits)
    values, is_negative = logits.movedim(dim, -1).contiguous(), negatives(targets).movedim(dim, -1)
    pick = _semi_hard if mining == "semi_hard" else _random
    return pick(values, is_negative, seed).movedim(-1, dim)


def _semi_hard(values: Tensor, is_negative: Tensor, seed: int) -> Tensor:
    """Return the highest negative below each entry, or the lowest negative; the groups are rows."""
    ascending = masked.keep(values, is_negative).sort(-1).values  # the negatives come last
    highest_below = torch.searchsorted(ascending.detach(), values.detach()) - 1
    lowest = (~is_negative).sum(-1, keepdim=True)
    position = torch.maximum(highest_below, lowest).clamp(max=values.shape[-1] - 1)
    return ascending.gather(-1, position).masked_fill(lowest == values.shape[-1], -torch.inf)


def _random(values: Tensor, is_negative: Tensor, seed: int) -> Tensor:
    """Return a negative drawn for each entry; the groups are rows."""
    generator = torch.Generator(values.device).manual_seed(seed)
    draws = torch.rand(values.shape, generator=generator, device=values.device)
    count = is_negative.cumsum(-1)
    total = count[..., -1:]
    number = (draws * total).long().clamp(max=total - 1) + 1  # of the negative, from 1
    position = torch.searchsorted(count, number).clamp(max=values.shape[-1] - 1)
    return values.gather(-1, position).masked_fill(total == 0, -torch.inf)
