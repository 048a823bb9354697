"""Read the words behind `margin-bench tables` and `margin-bench reproduce`. Imports no torch."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from margin_bench.commands.arguments import Parser, names_and_overrides
from margin_bench.config.schema import is_for_hydra
from margin_bench.config.sources import Sources
from margin_bench.config.words import in_words, key_of, parsed, text_of
from margin_bench.errors import ConfigError
from margin_bench.tables.cells import Request
from margin_bench.tables.formats import FORMATS

WORDS = """NAME is a table, one of
{tables}

key=value is one of
  dataset=, backbone=, epochs=, ...   an override, in the grammar of margin-bench train, for every cell
  seeds=N                             the seeds 0 to N-1
  search.lr=[A,B,...]                 the learning rate of every cell chosen from these on a part of the training split
  runs_dir=DIR                        where the records are; without it runs
"""
OWN_KEYS = {"seeds", "search.lr", "runs_dir"}


@dataclass(frozen=True)
class Arguments:
    """Hold what a command line asks for.

    Attributes:
        names: of tables; none: all of them.
        hydra: words for Hydra itself, as `hydra/launcher=...`.
    """

    names: list[str]
    request: Request
    hydra: list[str]
    runs_dir: Path
    sources: Sources
    format: str
    output: Path | None
    plots: bool


def add_table_arguments(parser: Parser, usage: str, meaning: str) -> None:
    """Take names of tables, key=value, and the options that say how tables are shown.

    Args:
        parser: of the command.
        usage: the order of the words, as the help shows it.
        meaning: what the command does with them.
    """
    tables = f"  {', '.join(Sources().options('table'))}"
    parser.add_words(
        usage,
        f"{meaning}\n\n{WORDS.format(tables=tables)}",
        lambda parsed: Sources.of(parsed.config_dir).options("table"),
    )
    parser.add_argument("--format", choices=FORMATS, default="markdown", help=", ".join(FORMATS), metavar="FORMAT")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write a file for each table, instead of printing")
    parser.add_argument("--plots", action="store_true", help="with --output: draw a PNG and an SVG beside each file")
    parser.add_config_dir()


def table_arguments(line: argparse.Namespace) -> Arguments:
    """Return what a command line asks for, as the parser has read it.

    Raises:
        ConfigError: a word does not fit.
    """
    names, overrides = names_and_overrides(line.words)
    given = {key_of(word): word.partition("=")[2] for word in overrides}
    if "seed" in given:
        raise ConfigError(f"seed={given['seed']}: a table takes several seeds: seeds=3 for 0, 1 and 2")
    if line.plots and line.output is None:
        raise ConfigError("--plots draws files: say where with --output DIR")
    words = [word for word in overrides if key_of(word) not in OWN_KEYS]
    for word in words:
        parsed(word)
    runs_dir, sources = _runs_dir(given), Sources.of(line.config_dir)
    options = sources.option_words + ([in_words("runs_dir", runs_dir)] if runs_dir != "runs" else [])
    return Arguments(
        names=names,
        request=_request(given, [word for word in words if not is_for_hydra(word)], options),
        hydra=[word for word in words if is_for_hydra(word)],
        runs_dir=Path(runs_dir),
        sources=sources,
        format=line.format,
        output=line.output,
        plots=line.plots,
    )


def _request(given: dict[str, str], words: list[str], options: list[str]) -> Request:
    """Return what is asked of every table; `options` are the words that commands of missing runs begin with."""
    precision = given.get("precision", "auto")
    return Request(
        words=tuple(words),
        seeds=_seeds(given["seeds"]) if "seeds" in given else None,
        precision=None if precision == "auto" else precision,
        rates=_rates(given["search.lr"]) if "search.lr" in given else (),
        options=tuple(options),
    )


def _runs_dir(given: dict[str, str]) -> str:
    """Return the folder of the records."""
    if given.get("runs_dir") == "":
        raise ConfigError("runs_dir=: expected the folder of the records; without the word it is runs")
    return text_of(f"runs_dir={given.get('runs_dir', 'runs')}")


def _seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `seeds=N` stands for."""
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise ConfigError(f"seeds={text}: expected how many, as seeds=3 for 0, 1 and 2")
    return tuple(range(int(text)))


def _rates(text: str) -> tuple[float, ...]:
    """Return the learning rates that `search.lr=[A,B,...]` lists, in ascending order."""
    try:
        rates = sorted({float(rate) for rate in text.strip("[]").split(",")})
    except ValueError:
        rates = []
    if len(rates) < 2 or not 0 < rates[0] <= rates[-1] < float("inf"):
        raise ConfigError(f"search.lr={text}: expected two rates or more above 0, as search.lr=[0.05,0.1,0.2]")
    return tuple(rates)
