"""List, prepare and check data sets: `margin-bench data`. Imports no torch."""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from margin_bench.commands.arguments import Parser, names_and_overrides
from margin_bench.config.build import build, takes
from margin_bench.config.compose import composed
from margin_bench.config.sources import Sources
from margin_bench.data.split import Split
from margin_bench.errors import ConfigError, DataError, nearest
from margin_bench.runtime.console import counted, say

ACTIONS = {
    "list": "show the data sets, where each is expected and whether it is there",
    "prepare": "fetch and unpack what has an official address, and say what to fetch by hand",
    "check": "show sizes beside the published ones, and every fault",
}
WORDS = f"""ACTION is one of
{chr(10).join(f"  {name:<10}{meaning}" for name, meaning in ACTIONS.items())}

NAME is a data set that the list shows. key=value is an override, in the grammar of margin-bench train.

examples:
  margin-bench data list
  margin-bench data prepare voc2007
  margin-bench data check coco dataset.root=/data/coco
"""


def add_arguments(parser: Parser) -> None:
    """Take an action, the name of a data set, overrides, and options for a check."""
    parser.add_words("ACTION [NAME] [key=value ...]", WORDS, _known_words)
    parser.add_argument("--json", action="store_true", help="check: print all that is measured as JSON")
    parser.add_argument("--sheet", metavar="FILE.png", type=Path, help="check: draw sample images with their labels")
    parser.add_config_dir()


def run(line: argparse.Namespace) -> None:
    """List the data sets, or prepare or check one.

    Raises:
        ConfigError: a word does not fit.
        DataError: a data set is not there, or has faults.
    """
    action, names, overrides = _read(line)
    sources = Sources.of(line.config_dir)
    if action == "list":
        _list(sources)
        return
    config = composed("train", [f"dataset={names[0]}", *overrides], sources)
    dataset: Any = OmegaConf.to_container(config.dataset, resolve=True)
    if action == "prepare":
        _prepare(dataset)
    else:
        _check(dataset, config.data.holdout, config.workers, line.json, line.sheet)


def _known_words(line: argparse.Namespace) -> Iterable[str]:
    """Return what can stand next: an action, then the name of a data set."""
    if not line.words:
        return ACTIONS
    return [] if line.words[0] == "list" or line.words[1:] else Sources.of(line.config_dir).options("dataset")


def _read(line: argparse.Namespace) -> tuple[str, list[str], list[str]]:
    """Return the action, the names and the overrides of a command line.

    Raises:
        ConfigError: there is no such action, or it takes other words.
    """
    names, overrides = names_and_overrides(line.words)
    if not names:
        raise ConfigError(f"which action? {', '.join(ACTIONS)}\nmargin-bench data --help says more")
    action, *names = names
    if action not in ACTIONS:
        raise ConfigError(f"there is no action {action}{nearest(action, ACTIONS)}\nmargin-bench data --help lists them")
    if action == "list" and (names or overrides):
        raise ConfigError(f"margin-bench data list takes no more words, got {' '.join(names + overrides)}")
    if action != "list" and len(names) != 1:
        raise ConfigError(
            f"margin-bench data {action} needs the name of one data set; margin-bench data list shows them"
        )
    if action != "check" and (line.json or line.sheet):
        raise ConfigError("--json and --sheet are for margin-bench data check")
    return action, names, overrides


def _list(sources: Sources) -> None:
    """Print all data sets, where each is expected and whether it is there."""
    for name in sources.options("dataset"):
        dataset = OmegaConf.create(sources.section("dataset", name))
        root = None if OmegaConf.is_missing(dataset, "root") else dataset.get("root")
        say(f"{name:<14}{_without_root(dataset) if root is None else _state_of(Path(root))}")
        for key in ("licence", "source"):
            if value := (dataset.get("about") or {}).get(key):
                say(f"{'':<14}{key}: {value}")
    say("\n`margin-bench data prepare NAME` fetches one. Elsewhere: dataset.root=DIR, or $MARGIN_BENCH_DATA for all.")


def _state_of(root: Path) -> str:
    return f"{'there' if _has_files(root) else 'not there'}: {root}"


def _without_root(dataset: Any) -> str:
    return "your own: dataset.file=FILE" if "file" in dataset else "made when it is used"


def _has_files(root: Path) -> bool:
    """Tell whether a folder holds more than hidden files."""
    return root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())


def _prepare(dataset: Mapping[str, Any]) -> None:
    """Fetch a data set and read it once, so that its annotations are indexed."""
    from margin_bench.data.prepare import fetch

    about = dataset.get("about") or {}
    files = [file for file in about.get("files", ()) if file.get("only", {}).items() <= dataset.items()]
    if files:
        fetch(files, Path(dataset["root"]))
    if about.get("by_hand"):
        say(f"By hand, to {dataset['root']}: {about['by_hand']}")
    for name, split in _splits(dataset).items():
        samples, classes = counted(len(split), "sample"), counted(len(split.class_names), "class", "classes")
        say(f"{name}: {samples} of {classes}, indexed")


def _splits(dataset: Mapping[str, Any], holdout: float = 0.0) -> dict[str, Split]:
    """Load what a run trains on and what it scores, by the names `train` and `test`."""
    if holdout:
        from margin_bench.data.holdout import hold_out

        return dict(zip(("train", "test"), hold_out(build(dataset, split="train"), holdout), strict=True))
    return {name: build(dataset, split=name) for name in ("train", "test")}


def _check(dataset: Mapping[str, Any], holdout: float, workers: int | None, as_json: bool, sheet: Path | None) -> None:
    """Examine a data set and print what is found; with a part of the training split in the place of the test split.

    Raises:
        DataError: it has faults.
    """
    from margin_bench.data.faults import examine
    from margin_bench.runtime.hardware import usable_cores

    splits = _splits(dataset, holdout)
    whole = _splits({**dataset, "keep_empty": True}, holdout) if takes(dataset, "keep_empty") else splits
    sizes = {name: len(split) for name, split in whole.items()}
    report = examine(splits, sizes, usable_cores() if workers is None else workers)
    if sheet is not None:
        from margin_bench.data.contact_sheet import draw_sheet

        draw_sheet(splits["train"], sheet)
    if as_json:
        content = {"name": dataset["name"], "published": _published(dataset), **vars(report)}
        say(json.dumps(content, indent=2))
    else:
        from margin_bench.data.report import print_report

        print_report(dataset["name"], _published(dataset), report)
    if report.faults:
        raise DataError(f"{counted(len(report.faults), 'fault')} in {dataset['name']}; all are listed above")


def _published(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the published sizes of a data set; None where they are those of another year, say."""
    about = dataset.get("about") or {}
    is_of_another = any(dataset.get(key) != value for key, value in about.get("counted_with", {}).items())
    keys = ("classes", "train", "test", "labels_per_sample")
    return {key: None if is_of_another else about.get(key) for key in keys}
