"""Checks of the parameters that losses are constructed with. Each raises ValueError for what it does not allow."""

import math
from collections.abc import Callable, Mapping
from typing import Any


def check_finite(**values: float) -> None:
    """Every value is a finite number."""
    _check(values, math.isfinite, "a finite number")


def check_at_least_zero(**values: float) -> None:
    """Every value is a finite number of at least zero."""
    _check(values, lambda value: 0 <= value < math.inf, "a number of at least 0")


def check_above_zero(**values: float) -> None:
    """Every value is a finite number above zero."""
    _check(values, lambda value: 0 < value < math.inf, "a number above 0")


def check_one_of(*known: object, **values: object) -> None:
    """Every value is one of those known."""
    _check(values, lambda value: value in known, f"one of {', '.join(map(str, known))}")


def _check(values: Mapping[str, Any], holds: Callable[[Any], bool], expected: str) -> None:
    for name, value in values.items():
        if not holds(value):
            raise ValueError(f"{name}: expected {expected}, got {value!r}.")
