"""Read the labels in a cell of a table, as spreadsheets, pandas, Label Studio and others write them."""

import ast
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED

LABELS: dict[float, int] = {1: POSITIVE, 0: NEGATIVE, -1: UNLABELED}
BLANKS = {"negative": NEGATIVE, "unlabeled": UNLABELED, "0": NEGATIVE, "-1": UNLABELED}
SEPARATORS = ("|", ";", ",")  # what mostly stands between names, and seldom in one
WEAK_SEPARATORS = (" ", "#", "/", "&", "+", ":", "\n")  # what stands in names too

_WORDS: dict[str, float] = {"true": 1, "false": 0}
_OPENING = {"[": "]", "{": "}", "(": ")"}
_NUMPY_LIST = re.compile(r"""\[\s*(?:(['"]).*?\1\s*)*\]""", re.DOTALL)  # names in quotes with white space between them
_QUOTED = re.compile(r"""(['"])(.*?)\1""", re.DOTALL)


def is_blank(cell: Any) -> bool:
    """Tell whether a cell is empty: nothing, white space, or what pandas writes for a missing value.

    Examples:
        >>> is_blank(" "), is_blank(None), is_blank(float("nan")), is_blank("nan"), is_blank(0)
        (True, True, True, True, False)
    """
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in ("", "nan"))


def label_of(cell: Any) -> int | None:
    """Return what the cell of a class says: POSITIVE, NEGATIVE or UNLABELED; None if it is no label.

    Examples:
        >>> label_of("1.0"), label_of("False"), label_of(-1), label_of("cat")
        (1, 0, -1, None)
    """
    if isinstance(cell, str):
        word = cell.strip().lower()
        try:
            cell = _WORDS[word] if word in _WORDS else float(word)
        except ValueError:
            return None
    return LABELS.get(cell) if isinstance(cell, int | float) else None


def names_in(cell: Any, separator: str) -> list[str]:
    """Return the names of classes in a cell: a list in JSON or Python, Label Studio's choices, or text.

    Args:
        cell: a text, a list, an object of JSON, or nothing.
        separator: stands between the names in a text that is none of these.

    Raises:
        ValueError: a list that cannot be read, or what is in it is no name.

    Examples:
        >>> names_in("cat | dog", "|"), names_in("['cat', 'dog']", "|"), names_in('{"choices": ["cat"]}', "|")
        (['cat', 'dog'], ['cat', 'dog'], ['cat'])
        >>> names_in(["cat", None], "|")
        Traceback (most recent call last):
            ...
        ValueError: expected names of classes, found None in the list
    """
    if is_blank(cell):
        return []
    if isinstance(cell, str):
        text = cell.strip()
        if _OPENING.get(text[0]) != text[-1] or (content := _parsed(text, separator)) is None:
            return _stripped(text.split(separator))
        cell = content
    if isinstance(cell, dict):
        if "choices" not in cell:
            raise ValueError(
                f"expected a list of classes, found an object with {', '.join(map(str, cell)) or 'nothing'}"
            )
        cell = cell["choices"]
    return _names(sorted(cell, key=str) if isinstance(cell, set) else cell)


def joined_by(cells: Iterable[Any], separator: str) -> str | None:
    """Return another separator that seems to stand between the names in the cells; None if none does.

    Args:
        cells: of a column of names.
        separator: the one that is expected; nothing is wrong where a cell holds it.

    Examples:
        >>> joined_by(["cat dog", "cat", "dog"], "|"), joined_by(["traffic light", "cat"], "|")
        (' ', None)
    """
    texts = {cell.strip() for cell in cells if isinstance(cell, str) and _OPENING.get(cell.strip()[:1]) is None}
    if any(separator in text for text in texts):
        return None
    for each in SEPARATORS:
        if each != separator and any(each in text for text in texts):
            return each
    return next((each for each in WEAK_SEPARATORS if each != separator and _seems_to_join(texts, each)), None)


def _seems_to_join(texts: set[str], separator: str) -> bool:
    """Tell whether the parts of joined texts are names: each stands alone too, or in other company more than once."""
    joined = [_stripped(text.split(separator)) for text in texts if separator in text]
    parts = {part for each in joined for part in each}
    if not parts:
        return False
    stands_in = {part: sum(part in each for each in joined) + (part in texts) for part in parts}
    return parts <= texts or (len(parts) < len(joined) and min(stands_in.values()) > 1)


def _parsed(text: str, separator: str) -> Any:
    """Return what a text in brackets says; None if it is no list but names with the separator between them.

    Raises:
        ValueError: it is neither.
    """
    if _NUMPY_LIST.fullmatch(text):
        return [name for _, name in _QUOTED.findall(text)]
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    if separator in text:
        return None
    raise ValueError(f"expected a list of classes in JSON or Python, found {text!r}")


def _names(cell: Any) -> list[str]:
    listed: Sequence[Any] = cell if isinstance(cell, list | tuple) else [cell]
    for name in listed:
        if isinstance(name, bool) or not isinstance(name, str | int) or is_blank(name):
            raise ValueError(f"expected names of classes, found {name!r} in the list")
    return _stripped(map(str, listed))


def _stripped(names: Iterable[str]) -> list[str]:
    return [name for each in names if (name := each.strip())]
