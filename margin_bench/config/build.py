"""From a group of the configuration to the object that its `_target_` names, ours or the user's own."""

import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from margin_bench.errors import ConfigError


def build(group: Mapping[str, Any], **more: Any) -> Any:
    """Calls `_target_` with the group's other entries and with `more`; its name and what is said about it are left out.

    Raises:
        ConfigError: there is no such target, it has no such parameter, or it refuses a value (ValueError).
    """
    target = group["_target_"]
    arguments = {key: value for key, value in group.items() if key not in ("_target_", "name", "about")} | more
    function = _resolved(target)
    try:
        _signature(function, target).bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{target}: {error}") from error
    try:
        return function(**arguments)
    except ValueError as error:
        raise ConfigError(f"{target}: {error}") from error


def takes(group: Mapping[str, Any], parameter: str) -> bool:
    """Whether the `_target_` of a group has this parameter.

    Raises:
        ConfigError: there is no such target.
    """
    target = group["_target_"]
    return parameter in _signature(_resolved(target), target).parameters


def _signature(function: Any, target: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"_target_={target} is not to be called by names: {error}") from error


def _resolved(target: str) -> Any:
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"_target_={target} cannot be imported: {error}") from error


def refuse_foreign_targets(config: Mapping[str, Any], source: str) -> None:
    """Lets a configuration that was read from a file, and is data, build nothing but what is ours.

    Raises:
        ConfigError: a `_target_` is no loader of a data set, and no class, of `margin_bench.data`.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            refuse_foreign_targets(value, source)
        elif key == "_target_" and not _is_ours(str(value)):
            raise ConfigError(
                f"{source} names _target_={value}, which no data set or transform of margin-bench is,\n"
                "and so it is not run from a saved file. If the run is your own, say trust=true."
            )


def _is_ours(target: str) -> bool:
    """Whether a target reads or transforms data and is our own, not merely something that one of our modules imports.

    No other function of ours is called because a file says so: some write files, or import what they are told to.
    """
    if not target.startswith("margin_bench.data."):
        return False
    found = _resolved(target)
    module = getattr(found, "__module__", None) or ""
    return module.startswith("margin_bench.data.") and (isinstance(found, type) or found.__name__ == "load")
