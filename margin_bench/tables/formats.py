"""Write sheets as Markdown, CSV, LaTeX and HTML. Imports no torch."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from margin_bench.runtime.text import for_csv, for_html, for_markdown, one_line
from margin_bench.tables.notes import Note
from margin_bench.tables.sheet import Figure, Grid, Sheet

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}",
    "`": r"\textasciigrave{}", '"': r"\symbol{34}", "|": r"\textbar{}",
}  # fmt: skip
LATEX_WIDTH = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # no wider than a line
LATEX_PAGE = 42  # rows of grids on a page, with four more for the title, the header and the rules of each
FIELDS = ("table", "cell", "measure", "mean", "std", "num_seeds", "published", "gap", "best", "run_ids")
STYLE = "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:right}"


def markdown(sheets: Sequence[Sheet]) -> str:
    """Write tables with pipes, their notes as lists."""
    return "\n".join("\n".join(_markdown_lines(sheet)) for sheet in sheets)


def _markdown_lines(sheet: Sheet) -> Iterable[str]:
    yield from [f"## {for_markdown(sheet.name)}", "", f"{for_markdown(sheet.caption)}.", ""]
    for grid in sheet.grids:
        if grid.title:
            yield from [f"### {for_markdown(grid.title)}", ""]
        lines = [
            (for_markdown(label), *(_cell(figure, "**{}**") for figure in figures)) for label, figures in grid.rows
        ]
        yield from _piped([tuple(map(for_markdown, (grid.corner, *grid.header))), *lines])
        yield ""
    for note in sheet.notes:
        yield from [f"{note.heading}:", ""]
        yield from _fenced(note.lines) if note.are_commands else [f"- {for_markdown(line)}" for line in note.lines]
        yield ""


def _fenced(commands: Sequence[str]) -> list[str]:
    """Write commands as code, between fences that stand in none of them."""
    fence = "```"
    while any(fence in command for command in commands):
        fence += "`"
    return [f"{fence}bash", *map(one_line, commands), fence]


def _piped(lines: list[tuple[str, ...]]) -> list[str]:
    """Write rows of Markdown whose columns line up in plain text, too."""
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    rows = [" | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = "|".join("-" * (width + 2) for width in widths)
    return [f"| {rows[0]} |", f"|{rule}|", *(f"| {row} |" for row in rows[1:])]


def _cell(figure: Figure, bold: str) -> str:
    measured = figure.measured_words()
    return " ".join(filter(None, [bold.format(measured) if figure.is_best else measured, figure.published_words()]))


def as_csv(sheets: Sequence[Sheet]) -> str:
    """Write a line for each cell and measure, numbers in full, and notes as comments that begin with `#`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for sheet in sheets:
        for figure in sheet.figures():
            writer.writerow(
                [
                    for_csv(sheet.name),
                    for_csv(figure.label),
                    figure.measure,
                    *map(_full, (figure.mean, figure.std)),
                    figure.num_seeds,
                    *map(_full, (figure.published, figure.gap)),
                    "yes" if figure.is_best else "",
                    for_csv(" ".join(figure.run_ids)),
                ]
            )
    comments = [
        f"# {one_line(f'{sheet.name}: {line}')}\n" for sheet in sheets for note in sheet.notes for line in note.lines
    ]
    return text.getvalue() + "".join(comments)


def _full(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"


def latex(sheets: Sequence[Sheet]) -> str:
    """Write floats of tables, and their notes as text; they need the packages `booktabs` and `graphicx`."""
    return "\n".join("\n".join(_latex_lines(sheet)) for sheet in sheets)


def _latex_lines(sheet: Sheet) -> Iterable[str]:
    floats = list(_pages(sheet.grids))
    for number, grids in enumerate(floats, 1):
        part = f" ({number} of {len(floats)})" if len(floats) > 1 else ""
        yield from [r"\begin{table}", r"\centering", rf"\caption{{{_tex(sheet.caption)}{part}}}"]
        if number == 1:
            yield rf"\label{{tab:{_slug(sheet)}}}"
        for grid in grids:
            yield from _latex_grid(grid)
        yield r"\end{table}"
    yield rf"\par\begingroup\footnotesize\raggedright Table~\ref{{tab:{_slug(sheet)}}}."
    for note in sheet.notes:
        yield rf"\par\smallskip {_tex(note.heading)}:"
        yield from (rf"\par {_tex_line(note, line)}" for line in note.short or note.lines)
    yield from [r"\par\endgroup", ""]


def _pages(grids: Sequence[Grid]) -> Iterable[list[Grid]]:
    """Yield the grids, together as many as fit on a page."""
    page: list[Grid] = []
    for grid in grids:
        if page and sum(len(each.rows) + 4 for each in [*page, grid]) > LATEX_PAGE:
            yield page
            page = []
        page.append(grid)
    yield page


def _latex_grid(grid: Grid) -> Iterable[str]:
    if grid.title:
        yield rf"\par\medskip {_tex(grid.title)}\par\smallskip"
    yield LATEX_WIDTH
    yield rf"\begin{{tabular}}{{l{'r' * len(grid.header)}}}"
    yield r"\toprule"
    yield _tex_row([grid.corner, *grid.header])
    yield r"\midrule"
    for label, figures in grid.rows:
        yield " & ".join([_tex_label(label), *(_tex_cell(figure) for figure in figures)]) + r" \\"
    yield from [r"\bottomrule", r"\end{tabular}}"]


def _tex_label(label: str) -> str:
    """Write the label of a row, where a leading `[` or `*` would belong to the end of the row before."""
    return ("{}" if label.startswith(("[", "*")) else "") + _tex(label)


def _tex_row(cells: list[str]) -> str:
    return " & ".join([_tex_label(cells[0]), *map(_tex, cells[1:])]) + r" \\"


def _tex_cell(figure: Figure) -> str:
    measured, published = _tex(figure.measured_words()), _tex(figure.published_words())
    return " ".join(filter(None, [rf"\textbf{{{measured}}}" if figure.is_best else measured, published]))


def _tex_line(note: Note, line: str) -> str:
    if not note.are_commands:
        return _tex(line)
    command = _tex(line).replace("'", r"\textquotesingle{}").replace("--", "-{}-")
    return rf"\texttt{{{command}}}"


def _tex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in one_line(text))


def _slug(sheet: Sheet) -> str:
    return "".join(character if character.isalnum() else "-" for character in sheet.name)


def as_html(sheets: Sequence[Sheet]) -> str:
    """Write a page that needs no other file."""
    head = ["<!doctype html>", '<html lang="en">', '<meta charset="utf-8">', "<title>margin-bench</title>"]
    return "\n".join(
        [*head, f"<style>{STYLE}</style>", *(line for sheet in sheets for line in _html_lines(sheet)), "</html>", ""]
    )


def _html_lines(sheet: Sheet) -> Iterable[str]:
    yield f"<h2>{for_html(sheet.name)}</h2>"
    yield f"<p>{for_html(sheet.caption)}.</p>"
    for grid in sheet.grids:
        yield "<table>"
        if grid.title:
            yield f"<caption>{for_html(grid.title)}</caption>"
        yield _html_row("th", [grid.corner, *grid.header])
        for label, figures in grid.rows:
            cells = "".join(f"<td>{_html_cell(figure)}</td>" for figure in figures)
            yield f"<tr><th>{for_html(label)}</th>{cells}</tr>"
        yield "</table>"
    for note in sheet.notes:
        yield f"<p>{for_html(note.heading)}:</p>"
        yield "<ul>"
        yield from (f"<li>{_html_line(note, line)}</li>" for line in note.lines)
        yield "</ul>"


def _html_row(tag: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{for_html(cell)}</{tag}>' for cell in cells)}</tr>"


def _html_cell(figure: Figure) -> str:
    measured, published = for_html(figure.measured_words()), for_html(figure.published_words())
    return "<br>".join(filter(None, [f"<b>{measured}</b>" if figure.is_best else measured, published]))


def _html_line(note: Note, line: str) -> str:
    return f"<code>{for_html(line)}</code>" if note.are_commands else for_html(line)


FORMATS: dict[str, tuple[Callable[[Sequence[Sheet]], str], str]] = {
    "markdown": (markdown, ".md"),
    "csv": (as_csv, ".csv"),
    "latex": (latex, ".tex"),
    "html": (as_html, ".html"),
}
