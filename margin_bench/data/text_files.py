"""Read text files as people have them: UTF-8 with or without a byte order mark, or UTF-16 with one; in every locale."""

import codecs
import json
from pathlib import Path
from typing import Any

from margin_bench.errors import DataError
from margin_bench.runtime.files import opened

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding_of(file: Path) -> str:
    """Return the encoding that the first bytes of a file tell; UTF-8 where they tell none.

    Raises:
        OSError: it cannot be read.
    """
    with opened(file) as content:
        start = content.read(max(map(len, _MARKS)))
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), "utf-8")


def read_text(file: Path, errors: str = "strict") -> str:
    """Return the text of a file, without its byte order mark.

    Args:
        file: in UTF-8 or UTF-16.
        errors: what to do with bytes that are no text, as `open` takes it.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text in its encoding.
    """
    return file.read_text(encoding=encoding_of(file), errors=errors)


def read_json(file: Path) -> Any:
    """Return what a JSON file says.

    Raises:
        OSError: it cannot be read.
        DataError: it is not JSON.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "cats.json"
        ...     _ = path.write_bytes(codecs.BOM_UTF8 + '{"name": "Kätzchen"}'.encode())
        ...     read_json(path)
        {'name': 'Kätzchen'}
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}.\nExpected JSON in UTF-8.") from None
