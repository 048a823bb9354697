"""The data sets as a user meets them: `margin-bench data list`, `prepare` and `check`. Imports no torch."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import OmegaConf

from margin_bench.config.build import build, takes
from margin_bench.config.compose import composed
from margin_bench.config.sources import Sources
from margin_bench.data.split import Split
from margin_bench.errors import ConfigError, DataError
from margin_bench.runtime.console import say

ACTIONS = {
    "list": "the data sets, where each is expected and whether it is there",
    "prepare": "NAME [key=value ...]: fetches and unpacks what has an official address, says what to fetch by hand",
    "check": "NAME [key=value ...] [--json] [--sheet FILE.png]: sizes beside the published ones, and every fault",
}
HELP = f"""usage: margin-bench data ACTION ...

{chr(10).join(f"  {name:<9}{summary}" for name, summary in ACTIONS.items())}

options: --config-dir DIR, a folder of your own YAML files; keys are those of `margin-bench train`, as dataset.root=DIR
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"margin-bench data: {message}\nmargin-bench data --help says more")


def run(arguments: Sequence[str]) -> None:
    """Runs `margin-bench data` with the words that stand after it.

    Raises:
        ConfigError, DataError: with exit codes 2 and 3.
    """
    if not arguments or set(arguments) & {"-h", "--help"}:
        say(HELP.rstrip())
        return
    parser = _Parser(add_help=False)
    parser.add_argument("action", choices=list(ACTIONS))
    parser.add_argument("words", nargs="*")
    parser.add_argument("--config-dir")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parsed = parser.parse_intermixed_args(arguments)
    if parsed.action == "list":
        _list(Sources.of(parsed.config_dir))
        return
    if not parsed.words or "=" in parsed.words[0]:
        raise ConfigError(f"margin-bench data {parsed.action} needs the name of a data set; `data list` shows them")
    name, *overrides = parsed.words
    config = composed("train", [f"dataset={name}", *overrides], Sources.of(parsed.config_dir))
    dataset: Any = OmegaConf.to_container(config.dataset, resolve=True)
    if parsed.action == "prepare":
        _prepare(dataset)
    else:
        _check(dataset, config.workers, parsed.json, parsed.sheet)


def _list(sources: Sources) -> None:
    for name, path in sources.options("dataset").items():
        content: Any = OmegaConf.load(path)
        dataset = content.get("dataset") or content  # a user's file need not say that it is about several groups
        root = None if OmegaConf.is_missing(dataset, "root") else dataset.get("root")
        state = "of your own" if root is None else f"{'there' if _has_files(Path(root)) else 'not there'}: {root}"
        say(f"{name:<14}{state}")
        for key in ("licence", "source"):
            if value := (dataset.get("about") or {}).get(key):
                say(f"{'':<14}{key}: {value}")
    say("\n`margin-bench data prepare NAME` fetches one. Elsewhere: dataset.root=DIR, or $MARGIN_BENCH_DATA for all.")


def _has_files(root: Path) -> bool:
    return root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())


def _prepare(dataset: Mapping[str, Any]) -> None:
    from margin_bench.data.prepare import fetch

    about = dataset.get("about") or {}
    if about.get("files"):
        fetch(about["files"], Path(dataset["root"]))
    if about.get("by_hand"):
        say(f"By hand, to {dataset['root']}: {about['by_hand']}")
    for name, split in _splits(dataset).items():
        say(f"{name}: {len(split):,} samples of {len(split.class_names)} classes, indexed")


def _splits(dataset: Mapping[str, Any], **more: Any) -> dict[str, Split]:
    return {name: build({**dataset, **more}, split=name) for name in ("train", "test")}


def _check(dataset: Mapping[str, Any], workers: int | None, as_json: bool, sheet: Path | None) -> None:
    from margin_bench.data.faults import examine
    from margin_bench.runtime.hardware import usable_cores

    splits = _splits(dataset)
    whole = _splits(dataset, keep_empty=True) if takes(dataset, "keep_empty") else splits
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
        raise DataError(f"{len(report.faults)} faults in {dataset['name']}; they are listed above")


def _published(dataset: Mapping[str, Any]) -> dict[str, Any]:
    about = dataset.get("about") or {}
    return {key: about.get(key) for key in ("classes", "train", "test", "labels_per_sample")}
