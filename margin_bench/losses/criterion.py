"""Apply a criterion of the user's own in any way."""

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from margin_bench.errors import ConfigError
from margin_bench.losses.ways import RelativeLoss


class CriterionLoss(RelativeLoss):
    """Average any relative criterion over the groups with a positive and a negative.

    Args:
        function: `(logits, targets, dim, **parameters) -> what each group costs`, or where to find it, as
            `package.module.function`. It is given logits as float (M, C) in float32 at least, and targets as int8 (M,
            C) of POSITIVE, NEGATIVE and UNLABELED. A group lies along `dim`. `margin_bench.targets.positives(targets)`
            and `negatives(targets)` are the masks, and `margin_bench.losses.masked` reduces over them. The value of a
            group without a positive or a negative is not used, but must not be NaN, nor make the gradient NaN.
        parameters: further keyword arguments of the function.
        way: `sample`, `class`, `both` or `joint`; see `margin_bench.losses.ways.groups`.

    Raises:
        ValueError: the function cannot be imported or does not take the parameters, or the way is unknown.

    Examples:
        >>> import torch
        >>> from margin_bench.losses.margins import margin_of_groups
        >>> def hinge(logits, targets, dim, *, margin):
        ...     return (margin - margin_of_groups(logits, targets, dim)).clamp(min=0)
        >>> loss = CriterionLoss(function=hinge, parameters={"margin": 1.0}, way="sample")
        >>> loss(torch.tensor([[3.0, 1.0, 2.5]]), torch.tensor([[1, 1, 0]], dtype=torch.int8))  # 1 - 1 + 2.5
        tensor(2.5000)
    """

    def __init__(
        self, *, function: str | Callable[..., Tensor], parameters: Mapping[str, Any], way: str = "both"
    ) -> None:
        criterion = _imported(function) if isinstance(function, str) else function
        try:
            inspect.signature(criterion).bind("logits", "targets", "dim", **parameters)
        except TypeError as error:
            raise ValueError(f"function={function}: {error}; expected (logits, targets, dim, **parameters).") from error
        super().__init__(partial(_group_costs, criterion), way, **parameters)
        self.function = function

    def extra_repr(self) -> str:
        """Return the function, the way and the parameters, for `repr`."""
        return f"function={self.function}, {super().extra_repr()}"


def _group_costs(
    criterion: Callable[..., Tensor], logits: Tensor, targets: Tensor, dim: int, **parameters: Any
) -> Tensor:
    """Return what the criterion says each group costs.

    Raises:
        ConfigError: it is not one number for each.
    """
    costs = criterion(logits, targets, dim, **parameters)
    num_groups = logits.shape[1 - dim]
    if not isinstance(costs, Tensor) or costs.shape != (num_groups,):
        came = f"a tensor {tuple(costs.shape)}" if isinstance(costs, Tensor) else repr(costs)
        raise ConfigError(
            f"the criterion returned {came}\n"
            f"Expected what each of the {num_groups} groups costs, a tensor ({num_groups},): reduce over dim={dim}."
        )
    return costs


def _imported(function: str) -> Callable[..., Tensor]:
    try:
        imported: Callable[..., Tensor] = pkgutil.resolve_name(function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"function={function} cannot be imported: {error}.") from error
    return imported
