"""The optimiser of the paper (section 4.1): SGD with Nesterov momentum, two rates, a cosine over all steps."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD


def lr_at(step: int, num_steps: int, initial_lr: float) -> float:
    """The cosine rate before step `step` (from 0) of `num_steps`: from `initial_lr` to almost 0."""
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
    """SGD over the parameters of `head` and over the rest of `model`, each with its rate; decay on every parameter.

    Args:
        fused: not with a gradient scaler: if its first step overflows, a fused momentum stays uninitialised.
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
    """Sets the rate of every group for step `step` (from 0) of `num_steps`."""
    for group in optimizer.param_groups:
        group["lr"] = lr_at(step, num_steps, group["initial_lr"])
