"""The paper's optimiser and its rate."""

import math

import pytest
import torch
from torch import nn

from margin_bench.training.optim import build_optimizer, lr_at, set_rates

SETTINGS = {"head_lr": 0.01, "backbone_lr": 0.001, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}


def test_the_rate_falls_by_a_cosine_over_all_steps():
    """(1 + cos 0)/2 = 1, (1 + cos(pi/2))/2 = 1/2, (1 + cos(3 pi/4))/2 = 0.146..."""
    assert lr_at(0, 80, 0.01) == 0.01
    assert lr_at(40, 80, 0.01) == pytest.approx(0.005)
    assert lr_at(60, 80, 0.01) == pytest.approx(0.01 * (1 - math.sqrt(0.5)) / 2)
    assert lr_at(80, 80, 0.01) == pytest.approx(0)


def test_head_and_rest_have_their_own_rates_and_share_the_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    optimizer = build_optimizer(model, model[3].parameters(), **SETTINGS)
    set_rates(optimizer, step=40, num_steps=80)
    head, rest = optimizer.param_groups
    assert head["lr"] == pytest.approx(0.005)
    assert rest["lr"] == pytest.approx(0.0005)
    assert {id(parameter) for parameter in head["params"]} == {id(parameter) for parameter in model[3].parameters()}
    assert len(head["params"]) + len(rest["params"]) == len(list(model.parameters()))
    assert head["weight_decay"] == rest["weight_decay"] == 1e-4


def test_a_step_is_nesterovs():
    """g = 1 + 0.1 w; v = g at the first step; w -= lr (g + 0.9 v) = lr 1.9 g."""
    parameter = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    model = nn.ParameterList([parameter])
    optimizer = build_optimizer(model, [parameter], **SETTINGS | {"head_lr": 0.5, "weight_decay": 0.1})
    parameter.sum().backward()
    optimizer.step()
    assert parameter.item() == pytest.approx(2 - 0.5 * 1.9 * (1 + 0.1 * 2))
