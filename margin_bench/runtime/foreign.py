"""Tell the code of a user from ours, so that an error in it shows where it is and nothing else."""

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

# Ours, and what is installed: libraries, and a user's package that was installed too.
_KNOWN = (str(Path(__file__).parents[1]), *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def foreign_traceback(error: BaseException) -> str | None:
    """Return the traceback of an error from the first line of a user's own file on; None if none took part.

    Examples:
        >>> foreign_traceback(ValueError("never raised")) is None
        True
    """
    entry = error.__traceback__
    while entry is not None and not _is_foreign(entry):
        entry = entry.tb_next
    if entry is None:
        return None
    return "".join(traceback.format_exception(type(error), error, entry, chain=False)).rstrip("\n")


def _is_foreign(entry: TracebackType) -> bool:
    file = entry.tb_frame.f_code.co_filename
    return not file.startswith((*_KNOWN, "<frozen"))
