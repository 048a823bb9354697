"""Stop the garbage collector for a while."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Run this block without garbage collection.

    Where very many objects are made and kept, searching them for garbage takes as long as making them.

    Examples:
        >>> with without_collection():
        ...     gc.isenabled()
        False
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
