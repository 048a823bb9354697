"""Put a user's overrides into a table; they may fix what it varies. Imports no torch."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from margin_bench.config.compose import check
from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of, parsed
from margin_bench.errors import ConfigError
from margin_bench.tables.spec import Axis, Block, Entry, Table


class NoPlaceError(ConfigError):
    """A value that a table has no place for, as it varies its key together with others."""


def narrowed(table: Table, words: Sequence[str]) -> Table:
    """Return the table in which the user's overrides hold for every cell.

    An override takes the place of the table's own for the same key. Rows, columns or blocks that vary the key are left
    with those of this value, or, if there are none, with one that the override names.

    Raises:
        NoPlaceError: an override has a value that the table does not, for a key that it varies together with others.
    """
    for word in words:
        blocks = [
            replace(
                block,
                rows=_narrowed_axis(block.rows, word, table.name),
                columns=_narrowed_axis(block.columns, word, table.name),
            )
            for block in _having(table.blocks, word)
        ]
        blocks = _narrowed_blocks(blocks, word, table.name)
        table = replace(table, blocks=tuple(_with_word(block, word) for block in blocks))
    return table


def _having(blocks: Sequence[Block], word: str) -> Sequence[Block]:
    """Return the blocks that have the value in their rows or columns; all, if none has."""
    having = [
        block
        for block in blocks
        if any(_has(entry.words, word) for axis in (block.rows, block.columns) for entry in axis.entries)
    ]
    return having or blocks


def _with_word(block: Block, word: str) -> Block:
    if any(all(_has(entry.words, word) for entry in axis.entries) for axis in (block.rows, block.columns)):
        return block
    if _own(block.words, word) is None:
        return replace(block, words=(*block.words, word))
    return replace(block, words=tuple(word if key_of(own) == key_of(word) else own for own in block.words))


def _narrowed_axis(axis: Axis, word: str, table_name: str) -> Axis:
    if not any(_own(entry.words, word) for entry in axis.entries):
        return axis
    same = tuple(entry for entry in axis.entries if _has(entry.words, word))
    if same:
        return replace(axis, entries=same)
    rest = {_without(entry.words, word) for entry in axis.entries}
    if len(rest) > 1:
        raise _clash(word, f"along {axis.name}, {table_name}", [entry.words for entry in axis.entries])
    return replace(axis, entries=(Entry(_value(word), *rest),))


def _narrowed_blocks(blocks: list[Block], word: str, table_name: str) -> list[Block]:
    if len({_own(block.words, word) for block in blocks}) == 1:
        return blocks
    same = [block for block in blocks if _has(block.words, word)]
    if same:
        return same
    common = [block for block in blocks if not block.has_own_axes] or blocks  # what suits no block in particular
    named = [replace(block, name=_value(word), words=_without(block.words, word), published={}) for block in common]
    if any(block != named[0] for block in named):
        raise _clash(word, f"from block to block, {table_name}", [block.words for block in blocks])
    return named[:1]


def _clash(word: str, place: str, all_words: Sequence[tuple[str, ...]]) -> NoPlaceError:
    standing = dict.fromkeys(own for words in all_words if (own := _own(words, word)))
    return NoPlaceError(
        f"{word}: {place} varies more than {key_of(word)} alone, so another value has no place there\n"
        f"Take what it has ({', '.join(standing)}), or a table of your own (docs/tables.md)."
    )


def _own(words: tuple[str, ...], word: str) -> str | None:
    """Return the last of the words that has the same key as the given one."""
    return next((own for own in reversed(words) if key_of(own) == key_of(word)), None)


def _without(words: tuple[str, ...], word: str) -> tuple[str, ...]:
    return tuple(own for own in words if key_of(own) != key_of(word))


def _has(words: tuple[str, ...], word: str) -> bool:
    """Return whether the words give the key the same value, as Hydra reads it; `4` is `4.0`."""
    own = _own(words, word)
    return own is not None and parsed(own).value() == parsed(word).value()


def _value(word: str) -> str:
    return word.partition("=")[2]


def check_words(tables: Sequence[Table], words: Sequence[str], sources: Sources) -> None:
    """Check a user's overrides, by themselves and in the tables, even if no record makes it necessary.

    Raises:
        ConfigError: one does not fit.
    """
    if not words:
        return
    if not tables:
        check("train", words, sources)
    for table in tables:
        for cell in _unlike(narrowed(table, words), words):
            try:
                check("train", cell, sources)
            except ConfigError as error:
                check("train", words, sources)  # tells what is wrong with them whatever the table
                raise ConfigError(f"{table.name} does not go together with {' '.join(words)}: {error}") from error


def _unlike(table: Table, words: Sequence[str]) -> Iterable[Sequence[str]]:
    """Return the first cell's overrides for each choice that decides which words fit, as that of a loss does."""
    groups = {key_of(word).partition(".")[0] for word in words if "." in key_of(word)}
    cells: dict[tuple[str, ...], tuple[str, ...]] = {}
    for block in table.blocks:
        for row, column in block.pairs():
            cell = block.words_of(row, column)
            cells.setdefault(tuple(word for word in cell if key_of(word) in groups), cell)
    return cells.values()
