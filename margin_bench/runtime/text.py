"""Make text that came from elsewhere safe for where it goes: names of classes and files, ids, words of a command line.

Each kind of output has one function here. Text that is ours, and plain, stays as it is.
"""

import html
import re

# What moves a terminal's cursor, changes its colours or turns a line round: the C0 and C1 controls, marks of direction.
_OF_DIRECTION = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS |= {code: f"\\u{code:04x}" for code in _OF_DIRECTION}
_LINES = {code: escape for code, escape in _CONTROLS.items() if chr(code) not in "\n\t"}
_MARKDOWN = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])"  # what escapes the next character
    r"|[`*|]"  # code, emphasis, the next cell
    r"|\](?=[(\[:])"  # links and images
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # emphasis; within a word it is none
    r"|~(?=~)"
)
_ENTITY = re.compile(r"&(?=#?\w+;)")
_FORMULA = ("=", "+", "-", "@")


def for_terminal(text: str) -> str:
    r"""Return lines of text with every control character but the ends of lines and tabs written out.

    Examples:
        >>> print(for_terminal("a \x1b[31mred cat"))
        a \x1b[31mred cat
    """
    return text.translate(_LINES)


def one_line(text: str) -> str:
    r"""Return text with every control character written out, the ends of lines too.

    Examples:
        >>> print(one_line("cat\ndog"))
        cat\x0adog
    """
    return text.translate(_CONTROLS)


def for_markdown(text: str) -> str:
    r"""Return text as it shows in Markdown, also in a cell of a table: no tag, link, image or emphasis comes of it.

    Examples:
        >>> print(for_markdown("![cat](http://a.b) | <script> bce_weighted"))
        ![cat\](http://a.b) \| &lt;script> bce_weighted
    """
    plain = _ENTITY.sub("&amp;", one_line(text)).replace("<", "&lt;")
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", plain)


def for_html(text: str) -> str:
    """Return text as it shows in HTML.

    Examples:
        >>> for_html("<b>")
        '&lt;b&gt;'
    """
    return html.escape(one_line(text))


def for_csv(text: str) -> str:
    """Return text for a cell that no spreadsheet takes for a formula: such a cell begins with an apostrophe.

    Examples:
        >>> for_csv("=HYPERLINK(1)"), for_csv("-0.5"), for_csv("two-way")
        ("'=HYPERLINK(1)", '-0.5', 'two-way')
    """
    line = one_line(text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
