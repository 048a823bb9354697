"""Offer the losses: a criterion says what one group of logits costs, a way says what a group is.

Every class that a module of this package defines and whose name ends in `Loss` is offered here as well, so a loss joins
with its module alone. The modules take tensors and plain values, and import `margin_bench.targets` and `errors` alone.

To a type checker every name from here is a `type[nn.Module]`. Import from the module, as in
`from margin_bench.losses.twoway import TwoWayLoss`, to have the name and the parameters checked.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from torch import nn


def _classes() -> dict[str, type[nn.Module]]:
    """Return the classes of this package's modules whose names end in `Loss`, by name."""
    found: dict[str, type[nn.Module]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for name, value in vars(module).items():
            if name.endswith("Loss") and value.__module__ == module.__name__:
                assert name not in found, (
                    f"{found[name].__module__} and {module.__name__} define a {name} each: rename one"
                )
                found[name] = value
    return found


globals().update(_classes())
__all__ = sorted(name for name in globals() if name.endswith("Loss"))

if TYPE_CHECKING:

    def __getattr__(name: str) -> type[nn.Module]: ...
