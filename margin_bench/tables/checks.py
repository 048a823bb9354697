"""A user's overrides in the cells of tables. Imports no torch."""

from collections.abc import Iterable, Sequence

from margin_bench.compose import check
from margin_bench.errors import ConfigError
from margin_bench.tables.narrow import key_of, narrowed
from margin_bench.tables.spec import Table


def check_words(tables: Sequence[Table], words: Sequence[str], config_dir: str | None) -> None:
    """Checks a user's overrides, by themselves and in the tables, even if no record makes it necessary.

    Raises:
        ConfigError: one does not fit.
    """
    if not words:
        return
    if not tables:
        check("train", words, config_dir)
    for table in tables:
        for cell in _unlike(narrowed(table, words), words):
            try:
                check("train", cell, config_dir)
            except ConfigError as error:
                check("train", words, config_dir)  # tells what is wrong with them whatever the table
                raise ConfigError(f"{table.name} does not go together with {' '.join(words)}: {error}") from error


def _unlike(table: Table, words: Sequence[str]) -> Iterable[Sequence[str]]:
    """The overrides of the first cell for each choice that decides which of the words fit, as that of a loss does."""
    groups = {key_of(word).partition(".")[0] for word in words if "." in key_of(word)}
    cells: dict[tuple[str, ...], tuple[str, ...]] = {}
    for block in table.blocks:
        for row, column in block.pairs():
            cell = block.words_of(row, column)
            cells.setdefault(tuple(word for word in cell if key_of(word) in groups), cell)
    return cells.values()
