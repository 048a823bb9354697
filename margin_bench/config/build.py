"""Make of a group of the configuration the object that its `_target_` names, ours or the user's own."""

import contextlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from margin_bench.errors import ConfigError, MarginBenchError
from margin_bench.runtime.foreign import foreign_traceback

NOT_ARGUMENTS = ("_target_", "name", "revision", "about")


def arguments_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the `_target_` of a group is called with, by name."""
    return {key: value for key, value in group.items() if key not in NOT_ARGUMENTS}


def build(group: Mapping[str, Any], **more: Any) -> Any:
    """Call the `_target_` of a group with its arguments and with `more`.

    Raises:
        ConfigError: there is no such target, it has no such parameter, or one of ours refuses a value (ValueError).
        MarginBenchError: it ends the program.
    """
    return call(group["_target_"], arguments_of(group) | more)


def call(target: str, arguments: Mapping[str, Any]) -> Any:
    """Call what a dotted path names.

    Raises:
        ConfigError: there is no such target, it has no such parameter, or one of ours refuses a value (ValueError).
        MarginBenchError: it ends the program.
    """
    function = _resolved(target)
    try:
        _signature(function, target).bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{target}: {error}") from error
    if not target.startswith("margin_bench."):
        return _call_foreign(target, function, arguments)
    try:
        return function(**arguments)
    except ValueError as error:
        raise ConfigError(f"{target}: {error}") from error


def _call_foreign(target: str, function: Any, arguments: Mapping[str, Any]) -> Any:
    """Call what is not ours; an error in it stays as it is, but that it does not take what it is called with."""
    try:
        with no_exit(target):
            return function(**arguments)
    except TypeError as error:
        if foreign_traceback(error) is not None:
            raise
        raise ConfigError(f"{target}: {error}") from error


@contextlib.contextmanager
def no_exit(whose: str) -> Iterator[None]:
    """Make an error of it if code that is not ours ends the program, which is not finished then.

    Raises:
        MarginBenchError: it did.
    """
    try:
        yield
    except SystemExit as error:
        raise MarginBenchError(
            f"{whose} ended the program, with exit code {error.code}\nLet code of your own raise an error instead."
        ) from error


def check_parameters(group: Mapping[str, Any]) -> None:
    """Check that the `_target_` of a group has the parameters that the group gives it.

    Raises:
        ConfigError: there is no such target, or it has no such parameter.
    """
    target = group["_target_"]
    try:
        _signature(_resolved(target), target).bind_partial(**arguments_of(group))
    except TypeError as error:
        raise ConfigError(f"{target}: {error}") from error


def takes(group: Mapping[str, Any], parameter: str) -> bool:
    """Return whether the `_target_` of a group has this parameter.

    Raises:
        ConfigError: there is no such target.
    """
    target = group["_target_"]
    return parameter in _signature(_resolved(target), target).parameters


def _signature(function: Any, target: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"_target_={target} cannot be called with named arguments: {error}") from error


def _resolved(target: str) -> Any:
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"_target_={target} cannot be imported: {error}") from error


def refuse_foreign_targets(config: Mapping[str, Any], source: str) -> None:
    """Refuse to build from a configuration that was read from a file, and is data, anything but what is ours.

    Raises:
        ConfigError: a `_target_` is no loader of a data set, and no class, of `margin_bench.data`.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            refuse_foreign_targets(value, source)
        elif key == "_target_" and value is not None and not _is_ours(str(value)):
            raise ConfigError(
                f"{source} names _target_={value}, which is no code of margin-bench that a saved file may name.\n"
                "Code that a saved file names is not run. If the run is your own, say trust=true."
            )


def _is_ours(target: str) -> bool:
    """Return whether a target is our own to read or transform data, not merely what one of our modules imports.

    No other function of ours is called because a file says so: some write files, or import what they are told to.
    """
    if not target.startswith("margin_bench.data."):
        return False
    found = _resolved(target)
    module = getattr(found, "__module__", None) or ""
    return module.startswith("margin_bench.data.") and (isinstance(found, type) or found.__name__ == "load")
