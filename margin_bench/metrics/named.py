"""Find the metrics that `metric.names` names: those of the catalogue by their files, others by a dotted path."""

import inspect
import pkgutil
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from margin_bench.config.schema import chosen_metrics
from margin_bench.errors import ConfigError, DataError
from margin_bench.metrics import catalogue
from margin_bench.metrics.rankings import Scores, Targets

Metric = Callable[[Scores, Targets], float]


def named_metrics(names: str | Sequence[str] | None) -> dict[str, Metric]:
    """Import metrics and return their functions by name.

    Args:
        names: `all` of the catalogue, the name of one, or a list of names; None: none. A name with a dot is the path of
            any function, as `my_package.my_metric`; it is imported, so take it from a user's command line alone, never
            from a file.

    Raises:
        ConfigError: there is no such function, or it does not take scores and targets.

    Examples:
        >>> named_metrics(["one_error", "margin_bench.metrics.map_class"])  # doctest: +ELLIPSIS
        {'one_error': <function one_error at ...>, 'margin_bench.metrics.map_class': <function map_class at ...>}
    """
    return {name: _found(name) for name in chosen_metrics(names)}


def values_of(metrics: Mapping[str, Metric], scores: Scores, targets: Targets) -> dict[str, float]:
    """Compute metrics and return their values by name.

    Args:
        metrics: from `named_metrics`; each is given views of the arrays that cannot be written to.
        scores: float (N, C), finite.
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Raises:
        ConfigError: a metric returns something other than a number, or works in place on what it is given.
        DataError: a metric is not defined for these targets (ValueError).

    Examples:
        >>> import numpy as np
        >>> scores = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> targets = np.array([[1, 0], [0, 1]], np.int8)
        >>> values_of(named_metrics(["one_error", "coverage_error"]), scores, targets)
        {'one_error': 0.5, 'coverage_error': 1.5}
    """
    return {name: _value(name, metric, scores, targets) for name, metric in metrics.items()}


def _found(name: str) -> Metric:
    try:
        metric: Metric = pkgutil.resolve_name(name if "." in name else f"{catalogue.__name__}.{name}.{name}")
        inspect.signature(metric).bind("scores", "targets")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"metric.names: {name} cannot be imported: {error}") from error
    except TypeError as error:
        raise ConfigError(f"metric.names: expected {name} to be a function of scores and targets: {error}") from error
    return metric


def _value(name: str, metric: Metric, scores: Scores, targets: Targets) -> float:
    try:
        value = metric(_read_only(scores), _read_only(targets))
    except ValueError as error:
        if "read-only" in str(error):
            raise ConfigError(f"metric.names: {name} works in place on what it is given; take a copy") from error
        raise DataError(f"metric.names: {name}: {error}") from error
    except Exception as error:
        error.add_note(f"metric.names: {name} failed")
        raise
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"metric.names: expected a number from {name}, got {reprlib.repr(value)}") from None


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view
