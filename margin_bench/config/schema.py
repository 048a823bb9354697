"""Say which keys a configuration has, and what each may be. Imports no torch."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from margin_bench.config.dotted import copied, has, put
from margin_bench.config.sources import PACKAGE, our_files

WAYS = ("sample", "class", "both", "joint")
PAPER = "paper"  # the metric protocol of every record and table
PROTOCOLS = (PAPER, "sklearn", "interpolated")
ALL = "all"  # of the metric protocols, or of the metrics of the catalogue


@dataclass(frozen=True)
class Rule:
    """Say what the value of a key must be, beyond its type.

    Attributes:
        expected: in words.
        holds: returns whether a value is so.
    """

    expected: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Since:
    """Say with which version a key came, and the value at which it changes nothing.

    For keys that came with 0.2.0, the first version whose ids last, or after it.

    Attributes:
        version: the first that has the key.
        value: the default of that version, at which the key is no part of an identity.
    """

    version: str
    value: Any


def at_least(minimum: int, below: float = math.inf) -> Rule:
    """Ask for a number from `minimum` on."""
    limit = "" if below == math.inf else f" and below {below}"
    return Rule(
        f"a number of at least {minimum}{limit}", lambda value: _is_number(value) and bool(minimum <= value < below)
    )


def above_zero() -> Rule:
    """Ask for a finite number above 0."""
    return Rule("a number above 0", lambda value: _is_number(value) and 0 < value < math.inf)


def one_of(*names: str) -> Rule:
    """Ask for one of some words."""
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


def metric_names() -> list[str]:
    """Return the names of the catalogue's metrics, in order; a metric is found by its file."""
    return sorted(path.stem for path in (PACKAGE / "metrics" / "catalogue").glob("[!_]*.py"))


def chosen_metrics(names: str | Sequence[str] | None) -> list[str]:
    """Return the single names that `metric.names` stands for, each once."""
    given = [names] if isinstance(names, str) else names or []
    return list(dict.fromkeys(name for each in given for name in (metric_names() if each == ALL else [each])))


def _are_names(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Sequence) and all(isinstance(name, str) for name in value))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


METRIC_NAMES = Rule(f"{ALL}, or a list of names", _are_names)
NOT_EMPTY = Rule("the name of a folder", bool)
SEED = at_least(0, below=2**63)
SIZE = at_least(1, below=2**31)
ROWS = at_least(1, below=2**20 + 1)  # of images at once: more fit no memory
EPOCHS = at_least(1, below=10**6 + 1)
WORKERS = at_least(0, below=513)
STEPS = Rule(
    "false, or a number of steps of at least 1", lambda value: value is False or (type(value) is int and value >= 1)
)
SECONDS = at_least(1, below=10**6)
TEMPERATURE = Rule(
    "a number of at least 0: 0 itself, or from 1e-6 to 1e6",
    lambda value: _is_number(value) and (value == 0 or 1e-6 <= value <= 1e6),
)
NAME = Rule(
    "a name of 1 to 80 characters that can be printed",
    lambda value: isinstance(value, str) and len(value.strip()) > 0 and len(value) <= 80 and value.isprintable(),
)
REVISION = Rule("a whole number of at least 1", lambda value: type(value) is int and value >= 1)
FIRST_REVISION = 1
OPEN_GROUPS = ("dataset", "transforms", "loss")  # whose keys are those of a loader, a class, a loss


@dataclass
class BackboneConfig:
    """Say which model is trained, and what it starts from."""

    library: str | None = field(metadata={"rule": one_of("timm", "torchvision")})
    name: str = field(metadata={"rule": NAME})
    pretrained: bool
    weights: str | None
    options: dict[str, Any]
    head: str = field(metadata={"rule": one_of("linear", "cosine")})
    scale: float = field(metadata={"rule": above_zero()})
    learn_scale: bool
    _target_: str | None = field(default=None, metadata={"since": Since("0.2.0", None)})


@dataclass
class OptimConfig:
    """Say how the optimiser steps."""

    head_lr: float = field(metadata={"rule": at_least(0)})
    backbone_lr: float = field(metadata={"rule": at_least(0)})
    momentum: float = field(metadata={"rule": at_least(0, below=1)})
    nesterov: bool
    weight_decay: float = field(metadata={"rule": at_least(0)})


@dataclass
class QuirksConfig:
    """Say which oddities of the paper's published code are repeated."""

    fixed_buckets: bool


@dataclass
class DataConfig:
    """Say which part of the training split is trained on, and in which order."""

    holdout: float = field(metadata={"rule": at_least(0, below=1)})
    quirks: QuirksConfig


@dataclass
class TrainConfig:
    """A resolved and checked configuration of `margin-bench train`; what a key means stands in `configs/train.yaml`."""

    dataset: dict[str, Any]
    data: DataConfig
    transforms: dict[str, Any]
    backbone: BackboneConfig
    loss: dict[str, Any]
    optim: OptimConfig
    epochs: int = field(metadata={"rule": EPOCHS})
    batch_size: int = field(metadata={"rule": ROWS})
    bucket_size: int = field(metadata={"rule": ROWS})
    microbatch_size: int = field(metadata={"rule": ROWS})
    seed: int = field(metadata={"rule": SEED})
    devices: int = field(metadata={"rule": SIZE})
    precision: str = field(metadata={"rule": one_of("auto", "fp32", "bf16", "fp16")})
    workers: int | None = field(metadata={"rule": WORKERS})
    evaluate_every: int = field(metadata={"rule": EPOCHS})
    runs_dir: str = field(metadata={"rule": NOT_EMPTY})
    tracker: str = field(metadata={"rule": one_of("none", "wandb", "tensorboard")})
    diagnostics: Any = field(metadata={"rule": STEPS, "since": Since("0.3.0", 20)})  # OmegaConf knows no such union
    loader_timeout: float = field(metadata={"rule": SECONDS, "since": Since("0.3.0", 300.0)})
    process_timeout: float = field(metadata={"rule": SECONDS, "since": Since("0.3.0", 300.0)})


@dataclass
class MetricConfig:
    """Say by which metrics a run is scored."""

    protocol: str = field(metadata={"rule": one_of(*PROTOCOLS, ALL)})
    names: Any = field(metadata={"rule": METRIC_NAMES})  # OmegaConf knows no union of a word and a list


@dataclass
class EvaluateConfig:
    """A checked configuration of `margin-bench evaluate`; what a key means stands in `configs/evaluate.yaml`."""

    run: str
    split: str = field(metadata={"rule": one_of("test", "train")})
    weights: str = field(metadata={"rule": one_of("last", "best")})
    root: str | None
    recompute: bool
    metric: MetricConfig
    trust: bool
    devices: int = field(metadata={"rule": SIZE})
    workers: int | None = field(metadata={"rule": WORKERS})
    runs_dir: str = field(metadata={"rule": NOT_EMPTY})


@dataclass
class CompareConfig:
    """The checked options of `margin-bench compare`; what a key means stands in `configs/compare.yaml`."""

    metric: str = field(metadata={"rule": one_of("map_class", "map_sample", "both")})
    resamples: int = field(metadata={"rule": SIZE})
    seed: int = field(metadata={"rule": SEED})
    runs_dir: str = field(metadata={"rule": NOT_EMPTY})


SCHEMAS: dict[str, type] = {"train": TrainConfig, "evaluate": EvaluateConfig, "compare": CompareConfig}


@cache
def introductions(schema: type, prefix: str = "") -> dict[str, Any]:
    """Return the value at its introduction of each key of a schema that has a `Since`, by dotted key."""
    found: dict[str, Any] = {}
    for entry in dataclasses.fields(schema):
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            found |= introductions(entry.type, f"{prefix}{entry.name}.")
        elif "since" in entry.metadata:
            found[f"{prefix}{entry.name}"] = entry.metadata["since"].value
    return found


def introductions_in_groups(config: dict[str, Any]) -> dict[str, Any]:
    """Return the value at its introduction of each such key of the open groups, by dotted key.

    A file of ours says it: `about: {since: {KEY: {version: 0.3.0, value: VALUE}}}`. What the configuration says does
    not count, so a user cannot hide a key. Each group has a `revision`, at first 1.
    """
    found: dict[str, Any] = {f"{group}.revision": FIRST_REVISION for group in OPEN_GROUPS}
    for group in OPEN_GROUPS:
        for ours in _our_files_of(group, config.get(group, {})):
            since = ours["about"].get("since", {}) if "about" in ours else {}
            found |= {f"{group}.{key}": said["value"] for key, said in since.items()}
    return found


def is_for_hydra(override: str) -> bool:
    """Return whether an override is for Hydra itself, as `hydra/launcher=...`."""
    return override.lstrip("+~").startswith(("hydra/", "hydra."))


def typed(command: str, config: DictConfig) -> Any:
    """Return the configuration as an object of its schema, every interpolation resolved."""
    schema = OmegaConf.structured(SCHEMAS[command])
    content: Any = OmegaConf.to_container(OmegaConf.merge(schema, config), resolve=True)
    if command == "train":
        content["loss"] = with_floats(with_short_target(content["loss"]))
    return OmegaConf.to_object(OmegaConf.merge(schema, content))


def of_record(content: dict[str, Any]) -> Any:
    """Return the `TrainConfig` that a record holds; a key that came after it has the value of its introduction."""
    later = introductions(SCHEMAS["train"]) | introductions_in_groups(content)
    filled = copied(content)
    for key, value in later.items():
        if not has(filled, key):
            put(filled, key, value)
    return typed("train", OmegaConf.create(filled))


def _our_files_of(group: str, section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what our file says that a section was made by: of several with its `_target_`, the one with its name."""
    same = [ours for ours in our_files(group) if ours["_target_"] == section.get("_target_")]
    return same if len(same) == 1 else [ours for ours in same if ours.get("name") == section.get("name")]


def with_floats(loss: dict[str, Any]) -> dict[str, Any]:
    """Return a loss of ours with a float wherever its file has one, so that a run with `4` is the run with `4.0`."""
    floats = _floats_of(str(loss.get("_target_")))
    return {key: float(value) if type(value) is int and key in floats else value for key, value in loss.items()}


def with_short_target(loss: dict[str, Any]) -> dict[str, Any]:
    """Return a loss of ours with the `_target_` of its file, where that was given by the path of its module."""
    short = re.sub(r"^(margin_bench\.losses)\.\w+\.(\w+)$", r"\1.\2", str(loss.get("_target_")))
    is_ours = any(ours["_target_"] == short for ours in our_files("loss"))
    return {**loss, "_target_": short} if is_ours else loss


A_FLOAT = "${backbone.scale}"  # how a loss refers to a float of the schema


@cache
def _floats_of(target: str) -> frozenset[str]:
    """Return the keys with floats, or with null in place of one, in our file of the loss with this `_target_`."""
    contents = [content for content in our_files("loss") if content["_target_"] == target]
    return frozenset(
        key
        for content in contents
        for key, value in content.items()
        if isinstance(value, float | None) or value == A_FLOAT
    )
