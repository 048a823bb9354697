"""Build the optimiser of the paper (section 4.1): SGD with Nesterov momentum, two rates, a cosine over all steps."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD


def lr_at(step: int, num_steps: int, initial_lr: float) -> float:
    """Return the rate of step `step` (from 0) of `num_steps`: a cosine from `initial_lr` to almost 0.

    Examples:
        >>> [round(lr_at(step, 4, 0.1), 4) for step in range(4)]
        [0.1, 0.0854, 0.05, 0.0146]
    """
    return initial_lr * (1 + math.cos(math.pi * step / num_steps)) / 2


def build_optimizer(
    model: nn.Module,
    head: Iterable[nn.Parameter],
    *,
    head_lr: float,
    backbone_lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    fused: bool = True,
) -> SGD:
    """Return SGD over the parameters of `head` and over the rest of `model`, each with its rate.

    Args:
        model: whose parameters are trained.
        head: those of its parameters that learn at `head_lr`; the others learn at `backbone_lr`.
        head_lr, backbone_lr: the rates of the first step; see `set_rates`.
        momentum, nesterov: of both.
        weight_decay: on every parameter, biases and normalisation too.
        fused: take torch's fused step. Not with a gradient scaler: if its first step overflows, the momentum of the
            fused step stays uninitialised.
    """
    head = list(head)
    in_head = {id(parameter) for parameter in head}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in in_head]
    groups = [
        {"params": head, "lr": head_lr, "initial_lr": head_lr},
        {"params": rest, "lr": backbone_lr, "initial_lr": backbone_lr},
    ]
    return SGD(groups, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


def set_rates(optimizer: torch.optim.Optimizer, step: int, num_steps: int) -> None:
    """Set the rate of every group for step `step` (from 0) of `num_steps`, by `lr_at`."""
    for group in optimizer.param_groups:
        group["lr"] = lr_at(step, num_steps, group["initial_lr"])
