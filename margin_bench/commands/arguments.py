"""The words behind `margin-bench tables` and `margin-bench reproduce`. Imports no torch."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from margin_bench.config.schema import is_for_hydra
from margin_bench.config.sources import Sources
from margin_bench.config.words import in_words, key_of, text_of
from margin_bench.config.words import parsed as parsed_word
from margin_bench.errors import ConfigError
from margin_bench.tables.cells import Request
from margin_bench.tables.formats import FORMATS

WORDS_HELP = """words: names of tables, and key=value for
  dataset=, backbone=, epochs=, ...   overrides, in the grammar of margin-bench train, for every cell of the tables
  seeds=N                             the seeds 0 to N-1
  search.lr=[A,B,...]                 the learning rate of every cell chosen from these on a part of the training split
  runs_dir=DIR                        where the records are (runs)
"""


@dataclass(frozen=True)
class Arguments:
    """A command line.

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
    dry_run: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n{self.prog} --help shows what there is")


def parse(command: str, description: str, arguments: list[str], with_dry_run: bool = False) -> Arguments:
    """Reads a command line; `--help` prints and ends.

    Raises:
        ConfigError: a word is not understood.
    """
    parser = _Parser(
        prog=f"margin-bench {command}",
        description=description,
        epilog=f"{WORDS_HELP}\ntables: {', '.join(Sources().options('table'))}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="NAME | key=value")
    parser.add_argument("--format", choices=FORMATS, default="markdown")
    parser.add_argument("--output", metavar="DIR", type=Path, help="a file for each table, instead of printing")
    parser.add_argument("--plots", action="store_true", help="with --output: a PNG and an SVG beside each file")
    parser.add_argument("--config-dir", metavar="DIR", help="your own YAML files: table/, loss/, dataset/, ...")
    if with_dry_run:
        parser.add_argument("--dry-run", action="store_true", help="list the missing runs and estimate their time")
    parsed = parser.parse_intermixed_args(arguments)
    return _arguments(parsed)


def _arguments(parsed: argparse.Namespace) -> Arguments:
    given = {key_of(word): word.partition("=")[2] for word in parsed.words if "=" in word}
    if "seed" in given:
        raise ConfigError(f"seed={given['seed']}: a table takes several seeds: seeds=3 for 0, 1 and 2")
    if parsed.plots and parsed.output is None:
        raise ConfigError("--plots are files: say where with --output DIR")
    sources = Sources.of(parsed.config_dir)
    if given.get("runs_dir") == "":
        raise ConfigError("runs_dir=: expected the folder of the records; without the word it is runs")
    runs_dir = text_of(f"runs_dir={given.get('runs_dir', 'runs')}")
    own = {"seeds", "search.lr", "runs_dir"}
    words = [word for word in parsed.words if "=" in word and key_of(word) not in own]
    for word in words:
        parsed_word(word)
    precision = given.get("precision", "auto")
    return Arguments(
        names=[word for word in parsed.words if "=" not in word],
        request=Request(
            words=tuple(word for word in words if not is_for_hydra(word)),
            seeds=_seeds(given["seeds"]) if "seeds" in given else None,
            precision=None if precision == "auto" else precision,
            rates=_rates(given["search.lr"]) if "search.lr" in given else (),
            options=tuple(sources.option_words + ([in_words("runs_dir", runs_dir)] if runs_dir != "runs" else [])),
        ),
        hydra=[word for word in words if is_for_hydra(word)],
        runs_dir=Path(runs_dir),
        sources=sources,
        format=parsed.format,
        output=parsed.output,
        plots=parsed.plots,
        dry_run=getattr(parsed, "dry_run", False),
    )


def _seeds(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise ConfigError(f"seeds={text}: expected how many, as seeds=3 for 0, 1 and 2")
    return tuple(range(int(text)))


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = sorted({float(rate) for rate in text.strip("[]").split(",")})
    except ValueError:
        rates = []
    if len(rates) < 2 or not 0 < rates[0] <= rates[-1] < float("inf"):
        raise ConfigError(f"search.lr={text}: expected two rates or more above 0, as search.lr=[0.05,0.1,0.2]")
    return tuple(rates)
