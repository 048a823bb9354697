"""Show the losses as their YAML files describe them, and a guide to choosing one: `margin-bench losses`.

Imports no torch.
"""

import argparse
import itertools
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from margin_bench.commands.arguments import Parser
from margin_bench.config.build import arguments_of
from margin_bench.config.schema import WAYS
from margin_bench.config.sources import Sources
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError, nearest
from margin_bench.runtime.console import say

WIDTH = 120

KINDS = {
    "relative": f"compare the logits of a group; a group is what loss.way={'|'.join(WAYS)} says",
    "point-wise": "look at each logit alone; they have no way",
    "own": "from a package of yours",
}

# From the situation of a user to losses, each by the name that `loss=NAME` takes.
GUIDE = (
    ("one label per sample", "softmax with loss.way=sample; with a margin crammer_singer, weston_watkins"),
    ("several labels, the classes of a sample are ranked", "twoway; ranking_hinge, pairwise_logistic"),
    ("several labels, the samples of a class are ranked", "twoway with loss.way=both or class"),
    ("probabilities are needed", "bce, brier; relative losses give none, as only differences of logits count"),
    ("a fixed threshold is needed", "zlpr, multi_similarity, hinge, bce: all separate at a logit of zero"),
    ("few positives among many negatives", "twoway, which does not mind; asl, focal, dice"),
    ("some classes are rare", "distribution_balanced, bce_weighted; twoway with loss.way=class"),
    ("labels are missing, and it is known where", "any: target -1 takes an entry out of every loss"),
    ("labels are missing, and count as negatives", "asl, l1: they let go of negatives that look like positives"),
    ("similarity search, new classes later", "arcface, cosface, circle, triplet: they choose the cosine head"),
    ("a loss of one's own", "loss=own for a whole loss, loss=criterion for one to be used in any way"),
)


# What a file of a user's own need not say.
ABOUT_OWN = {"kind": "own", "labels": "1/0/-1", "use": "a loss of your own"}


@dataclass(frozen=True)
class LossEntry:
    """The description of a loss in its YAML file.

    Attributes:
        name: the one that `loss=NAME` takes, which is that of the file.
        formula, kind, labels, use, source: its `about`.
        notes: the comment on top, which explains the parameters.
        parameters: with their defaults; `way` is among them if the loss has one.
        cosine_head: whether the loss chooses the cosine head.
    """

    name: str
    formula: str
    kind: str
    labels: str
    use: str
    source: str
    notes: str
    parameters: dict[str, Any]
    cosine_head: bool


def add_arguments(parser: Parser) -> None:
    """Take the name of a loss."""
    parser.add_words(
        "[NAME]",
        "NAME is a loss, of which it then shows formula, parameters and defaults.",
        lambda line: [] if line.words else Sources.of(line.config_dir).options("loss"),
    )
    parser.add_config_dir()


def run(line: argparse.Namespace) -> None:
    """Print the catalogue, or one loss of it.

    Raises:
        ConfigError: there is no such loss, or there are several names.
    """
    if len(line.words) > 1:
        raise ConfigError(f"margin-bench losses takes one name, got {' '.join(line.words)}")
    say(show(*line.words, sources=Sources.of(line.config_dir)))


def entries(sources: Sources) -> list[LossEntry]:
    """Return all losses, by name.

    Raises:
        ConfigError: a YAML file cannot be read.
    """
    return [_entry(name, path, sources.section("loss", name)) for name, path in sources.options("loss").items()]


def show(name: str | None = None, *, sources: Sources) -> str:
    """Return the whole catalogue with the guide, or all about one loss.

    Raises:
        ConfigError: there is no such loss.
    """
    found = {entry.name: entry for entry in entries(sources)}
    if name is None:
        return _overview(list(found.values()))
    if name not in found:
        raise ConfigError(f"there is no loss {name}{nearest(name, found)}\nmargin-bench losses lists them")
    return _details(found[name])


def _entry(name: str, path: Path, section: dict[str, Any]) -> LossEntry:
    """Return what the YAML file of a loss says, which has this section about it."""
    said = section.get("about")
    facts = said if isinstance(said, dict) else {}  # else it is no facts by name, and left out
    about = {"formula": section.get("_target_", ""), "source": str(path), **ABOUT_OWN, **facts}
    return LossEntry(
        name=name,
        kind=about["kind"] if about["kind"] in list(KINDS) else "own",
        **{key: str(about[key]) for key in ("formula", "labels", "use", "source")},
        notes=_notes(path),
        parameters=arguments_of(section),
        cosine_head=any("/head" in str(choice) for choice in read_yaml(path).get("defaults") or []),
    )


def _notes(path: Path) -> str:
    """Return the comment on top of a file, without what is for Hydra."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    notes = [line.removeprefix("#").removeprefix(" ") for line in comment]
    return "\n".join(line for line in notes if not line.startswith("@package"))


def _overview(found: list[LossEntry]) -> str:
    """Return the catalogue and the guide."""
    width = max(len(entry.name) for entry in found) + 4
    lines = []
    for kind, meaning in KINDS.items():
        members = [entry for entry in found if entry.kind == kind]
        labels = " or ".join(sorted({entry.labels for entry in members}))
        lines.append(f"{kind}: {meaning}; targets {labels}")
        for entry in members:
            head = "; cosine head" if entry.cosine_head else ""
            lines.append(_labeled(f"  {entry.name}", entry.formula, width))
            lines.append(_labeled("", f"[{entry.source}{head}]", width))
        lines.append("")
    return "\n".join([*lines, *_guide()])


def _guide() -> list[str]:
    """Return what to choose in which situation, and what the signs of a formula mean."""
    width = max(len(situation) for situation, _ in GUIDE) + 4
    return [
        "which one?",
        *(_labeled(f"  {situation}", choice, width) for situation, choice in GUIDE),
        "",
        "targets: 1 positive, 0 negative, -1 unlabeled; x logit, p and n over positives and negatives",
        "margin-bench losses NAME shows parameters and defaults, margin-bench train loss=NAME uses one",
    ]


def _details(entry: LossEntry) -> str:
    """Return all about one loss."""
    is_relative = "way" in entry.parameters
    facts = {
        "formula": entry.formula,
        "kind": f"{entry.kind}: {KINDS[entry.kind]}",
        "ways": ", ".join(WAYS) if is_relative else "none",
        "targets": f"{entry.labels} (positive, negative, unlabeled)",
        "use": entry.use,
        "source": entry.source,
    }
    if entry.cosine_head:
        facts["head"] = "cosine, chosen along with the loss"
    lines = [_labeled(name, fact, width=9) for name, fact in facts.items()]
    notes = ["", entry.notes] if entry.notes else []
    defaults = [f"  loss.{key}={_in_yaml(value)}" for key, value in entry.parameters.items()] or ["  none"]
    return "\n".join([entry.name, "", *lines, *notes, "", "parameters and their defaults:", *defaults])


def _labeled(label: str, text: str, width: int) -> str:
    """Put a text beside its label, in lines of at most WIDTH characters; it begins after `width` of them."""
    return textwrap.fill(f"{label:<{width}}{text}", WIDTH, subsequent_indent=" " * width)


def _in_yaml(value: Any) -> str:
    """Write a value as an override takes it."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
