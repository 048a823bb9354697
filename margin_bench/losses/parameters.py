"""Check the parameters that a loss is made with. Each function raises ValueError for what it does not allow."""

import math
from collections.abc import Callable, Mapping
from typing import Any


def check_finite(**values: float) -> None:
    """Refuse a value that is not a finite number.

    Args:
        **values: the values, each by the name of its parameter.

    Raises:
        ValueError: a value is infinite or not a number.

    Examples:
        >>> check_finite(margin=float("nan"))
        Traceback (most recent call last):
            ...
        ValueError: margin: expected a finite number, got nan.
    """
    _check(values, math.isfinite, "a finite number")


def check_at_least_zero(**values: float) -> None:
    """Refuse a value that is not a finite number of at least zero.

    Args:
        **values: the values, each by the name of its parameter.

    Raises:
        ValueError: a value is negative, infinite or not a number.

    Examples:
        >>> check_at_least_zero(temperature=-1)
        Traceback (most recent call last):
            ...
        ValueError: temperature: expected a number of at least 0, got -1.
    """
    _check(values, lambda value: 0 <= value < math.inf, "a number of at least 0")


def check_above_zero(**values: float) -> None:
    """Refuse a value that is not a finite number above zero.

    Args:
        **values: the values, each by the name of its parameter.

    Raises:
        ValueError: a value is zero, negative, infinite or not a number.

    Examples:
        >>> check_above_zero(gamma=0)
        Traceback (most recent call last):
            ...
        ValueError: gamma: expected a number above 0, got 0.
    """
    _check(values, lambda value: 0 < value < math.inf, "a number above 0")


def check_one_of(*known: object, **values: object) -> None:
    """Refuse a value that is none of the known ones.

    Args:
        *known: the known values.
        **values: the values, each by the name of its parameter.

    Raises:
        ValueError: a value is unknown.

    Examples:
        >>> check_one_of("cross_entropy", "kl", form="js")
        Traceback (most recent call last):
            ...
        ValueError: form: expected one of cross_entropy, kl, got 'js'.
    """
    _check(values, lambda value: value in known, f"one of {', '.join(map(str, known))}")


def _check(values: Mapping[str, Any], holds: Callable[[Any], bool], expected: str) -> None:
    """Raise ValueError for the first value of which `holds` is not true."""
    for name, value in values.items():
        if not holds(value):
            raise ValueError(f"{name}: expected {expected}, got {value!r}.")
