"""Text that came from elsewhere, as each output shows it."""

import csv
import html
import io
import re
import string
from pathlib import Path

import markdown as python_markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from margin_bench.runtime.text import for_csv, for_html, for_markdown, for_terminal, one_line

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07red",
    "<script>alert(1)</script>",
    "![image](http://example.org/a.png)",
    "[link](javascript:alert(1))",
    "[link][reference]",
    "a | b",
    "a\nb\r\nc",
    "&lt;b&gt; &amp; &#60;",
    "`code` *bold* _it_ ~~gone~~",
    "\\*not\\* \\",
    "=HYPERLINK(1)",
    "+1+1",
    "-1-1",
    "@SUM(A1)",
    "\t=1",
    "\u202egnp.exe",
    "\x9b31m",
    "name_with_underscores",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), st.text(string.punctuation + " ab\n", max_size=30))
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@given(TEXTS)
def test_a_terminal_gets_no_control_characters_but_ends_of_lines_and_tabs(text: str) -> None:
    assert not CONTROL.search(re.sub("[\n\t]", "", for_terminal(text)))
    assert not CONTROL.search(one_line(text))


@pytest.mark.parametrize("text", ["plain", "ein Hündchen", "日本 🐕", "a  b"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    for safe in (for_terminal, one_line, for_markdown, for_html, for_csv):
        assert safe(text) == text


@given(TEXTS)
def test_a_cell_of_markdown_shows_its_text_and_nothing_else(text: str) -> None:
    page = (
        MarkdownIt("commonmark")
        .enable("table")
        .enable("strikethrough")
        .render(f"| a |\n|---|\n| {for_markdown(text)} |\n")
    )
    (cell,) = re.findall("<td>(.*?)</td>", page, re.DOTALL)
    assert "<" not in cell
    assert html.unescape(cell) == one_line(text).strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_comes_of_it_in_the_markdown_of_the_documentation_either(text: str) -> None:
    page = python_markdown.markdown(f"| a | b |\n|---|---|\n| {for_markdown(text)} | c |\n", extensions=["tables"])
    assert not re.search("<(script|img|a|em|strong|code|b)[ >]", page)
    assert page.count("<td>") == 2


@given(TEXTS)
def test_html_shows_its_text_and_nothing_else(text: str) -> None:
    assert "<" not in for_html(text)
    assert html.unescape(for_html(text)) == html.unescape(html.escape(one_line(text)))


@given(TEXTS)
def test_no_cell_of_csv_is_a_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([for_csv(text)])
    ((cell,),) = csv.reader(io.StringIO(stream.getvalue()))
    assert cell == for_csv(text)
    try:
        float(cell)
    except ValueError:
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("number", ["-0.5", "+1", "1e-5", "-inf"])
def test_numbers_stay_numbers_in_csv(number: str) -> None:
    assert for_csv(number) == number


def test_only_one_module_writes_out_control_characters() -> None:
    """So that no output has rules of its own."""
    package = Path(__file__).parents[2] / "margin_bench"
    others = [path for path in package.rglob("*.py") if "html.escape" in path.read_text(encoding="utf-8")]
    assert others == [package / "runtime" / "text.py"]
