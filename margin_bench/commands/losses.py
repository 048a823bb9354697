"""The losses as their YAML files describe them, and a guide to choosing one. Imports no torch."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from margin_bench.config.build import arguments_of
from margin_bench.config.schema import WAYS
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError, nearest

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


@dataclass(frozen=True)
class LossEntry:
    """What the YAML file of a loss says.

    Attributes:
        formula, kind, labels, use, source: its `about`.
        notes: the comment on top, which explains the parameters.
        parameters: with their defaults; `way` among them if the loss has one.
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


def entries() -> list[LossEntry]:
    """All losses, by name."""
    return [_read(path) for path in Sources().options("loss").values()]


def show(name: str | None = None) -> str:
    """The whole catalogue with the guide, or all about one loss.

    Raises:
        ConfigError: there is no such loss.
    """
    found = {entry.name: entry for entry in entries()}
    if name is None:
        return _overview(list(found.values()))
    if name not in found:
        raise ConfigError(f"there is no loss {name}{nearest(name, found)}\nmargin-bench losses lists them")
    return _details(found[name])


def _read(path: Path) -> LossEntry:
    lines = path.read_text(encoding="utf-8").splitlines()
    length = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    chosen = content.pop("defaults", [])
    return LossEntry(
        name=str(content["name"]),
        **{key: content["about"][key] for key in ("formula", "kind", "labels", "use", "source")},
        notes="\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:length]),
        parameters=arguments_of({str(key): value for key, value in content.items()}),
        cosine_head=any("/head" in str(choice) for choice in chosen),
    )


def _overview(found: list[LossEntry]) -> str:
    width = max(len(entry.name) for entry in found) + 4
    parts = []
    for kind, meaning in KINDS.items():
        members = [entry for entry in found if entry.kind == kind]
        labels = " or ".join(sorted({entry.labels for entry in members}))
        parts.append(f"{kind}: {meaning}; targets {labels}")
        for entry in members:
            head = "; cosine head" if entry.cosine_head else ""
            parts.append(_labelled(f"  {entry.name}", entry.formula, width))
            parts.append(_labelled("", f"[{entry.source}{head}]", width))
        parts.append("")
    parts.append("which one?")
    width = max(len(situation) for situation, _ in GUIDE) + 4
    parts += [_labelled(f"  {situation}", choice, width) for situation, choice in GUIDE]
    parts += ["", "targets: 1 positive, 0 negative, -1 unlabeled; x logit, p and n over positives and negatives"]
    parts.append("margin-bench losses NAME shows parameters and defaults, margin-bench train loss=NAME uses one")
    return "\n".join(parts) + "\n"


def _details(entry: LossEntry) -> str:
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
    lines = [_labelled(name, fact, width=9) for name, fact in facts.items()]
    defaults = [f"  loss.{key}={_in_yaml(value)}" for key, value in entry.parameters.items()] or ["  none"]
    return "\n".join([entry.name, "", *lines, "", entry.notes, "", "parameters and their defaults:", *defaults]) + "\n"


def _labelled(label: str, text: str, width: int) -> str:
    """The text beside its label, in lines of at most WIDTH characters; it begins after `width` of them."""
    return textwrap.fill(f"{label:<{width}}{text}", WIDTH, subsequent_indent=" " * width)


def _in_yaml(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
