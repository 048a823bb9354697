"""The configuration: its schema, its check before any work starts, and the identity of a run. Imports no torch."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from margin_bench.errors import DataError
from margin_bench.files import sha256

PACKAGE = Path(__file__).parent
WAYS = ("sample", "class", "both", "joint")

# What cannot change the result of a run, and so is no part of its identity. `backbone.weights` counts by its content.
NOT_IDENTITY = (
    "workers",
    "devices",
    "runs_dir",
    "tracker",
    "evaluate_every",
    "dataset.root",
    "backbone.weights",
    "loss.about",
)


@dataclass(frozen=True)
class Rule:
    """What the value of a key must be, beyond its type."""

    expected: str
    holds: Callable[[Any], bool]


def at_least(minimum: int, below: float = math.inf) -> Rule:
    limit = "" if below == math.inf else f" and below {below}"
    return Rule(f"a number of at least {minimum}{limit}", lambda value: minimum <= value < below)


def above_zero() -> Rule:
    return Rule("a number above 0", lambda value: 0 < value < math.inf)


def one_of(*names: str) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


SEED = at_least(0, below=2**63)
SIZE = at_least(1, below=2**31)

# What the open groups must say, where a loss or a data set brings its own parameters.
NEEDED = ("dataset.name", "dataset._target_", "transforms._target_", "loss.name", "loss._target_")

# Keys of the open groups: words that mean the same everywhere.
RULES = {
    "loss.way": one_of(*WAYS),
    "loss.seed": SEED,
    "loss.*temperature": at_least(0),
    "dataset.num_*": at_least(1),
    "transforms.image_size": at_least(1),
}

# Keys that one rule reads together.
RELATED = (
    frozenset({"batch_size", "bucket_size", "microbatch_size", "devices"}),
    frozenset({"optim.momentum", "optim.nesterov"}),
    frozenset({"backbone.head", "backbone.learn_scale", "backbone.scale", "loss.logit_scale"}),
)


@dataclass
class BackboneConfig:
    library: str = field(metadata={"rule": one_of("timm", "torchvision")})
    name: str
    pretrained: bool
    weights: str | None
    options: dict[str, Any]
    head: str = field(metadata={"rule": one_of("linear", "cosine")})
    scale: float = field(metadata={"rule": above_zero()})
    learn_scale: bool


@dataclass
class OptimConfig:
    head_lr: float = field(metadata={"rule": at_least(0)})
    backbone_lr: float = field(metadata={"rule": at_least(0)})
    momentum: float = field(metadata={"rule": at_least(0, below=1)})
    nesterov: bool
    weight_decay: float = field(metadata={"rule": at_least(0)})


@dataclass
class TrainConfig:
    """A resolved and checked configuration of `margin-bench train`; what a key means stands in `configs/train.yaml`."""

    dataset: dict[str, Any]
    transforms: dict[str, Any]
    backbone: BackboneConfig
    loss: dict[str, Any]
    optim: OptimConfig
    epochs: int = field(metadata={"rule": at_least(1)})
    batch_size: int = field(metadata={"rule": SIZE})
    bucket_size: int = field(metadata={"rule": SIZE})
    microbatch_size: int = field(metadata={"rule": SIZE})
    seed: int = field(metadata={"rule": SEED})
    devices: int = field(metadata={"rule": SIZE})
    precision: str = field(metadata={"rule": one_of("auto", "fp32", "bf16", "fp16")})
    workers: int | None = field(metadata={"rule": at_least(0)})
    evaluate_every: int = field(metadata={"rule": at_least(1)})
    runs_dir: str
    tracker: str = field(metadata={"rule": one_of("none", "wandb", "tensorboard")})


@dataclass
class EvaluateConfig:
    """A checked configuration of `margin-bench evaluate`; what a key means stands in `configs/evaluate.yaml`."""

    run: str
    split: str = field(metadata={"rule": one_of("test", "train")})
    weights: str = field(metadata={"rule": one_of("last", "best")})
    root: str | None
    trust: bool
    devices: int = field(metadata={"rule": SIZE})
    workers: int | None = field(metadata={"rule": at_least(0)})
    runs_dir: str


SCHEMAS: dict[str, type] = {"train": TrainConfig, "evaluate": EvaluateConfig}


def configs_dir() -> Path:
    """The folder of the YAML files: inside an installed package, beside it in a checkout."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def register_resolvers() -> None:
    """Teaches OmegaConf `${package_file:PATH}`, a file that ships with the package."""
    OmegaConf.register_new_resolver("package_file", lambda path: str(PACKAGE / path), replace=True)


def mistakes_in(command: str, config: DictConfig, defaults: DictConfig, num_processes: int | None = None) -> list[str]:
    """Every mistake in the values of a composed configuration, a line each.

    Args:
        defaults: the same groups without the user's values, whose types stand for the keys of the open groups.
        num_processes: how many processes an outer launcher has started; None: `devices`.
    """
    schema = SCHEMAS[command]
    mistakes = [_absent_mistake(key) for key in _absent(schema, config)]
    for key, value in leaves(config):
        mistakes += _value_mistakes(schema, key, value, defaults)
    if schema is TrainConfig:
        mistakes = mistakes or _needed_mistakes(config)
        mistakes = mistakes or [
            *_layout_mistakes(config, num_processes or config.devices),
            *_head_mistakes(config),
            *_optim_mistakes(config),
            *_tracker_mistakes(config),
        ]
    return mistakes


def typed(command: str, config: DictConfig) -> Any:
    """The configuration as an object of its schema, every interpolation resolved."""
    schema = OmegaConf.structured(SCHEMAS[command])
    return OmegaConf.to_object(OmegaConf.merge(schema, OmegaConf.to_container(config, resolve=True)))


def leaves(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted key and the value of every entry that is not itself a mapping; `???` where a value is missing."""
    for key in config:
        path = f"{prefix}{key!s}"
        value = "???" if OmegaConf.is_missing(config, key) else config[key]
        if isinstance(value, DictConfig) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def _value_mistakes(schema: type, key: str, value: Any, defaults: DictConfig) -> list[str]:
    if isinstance(value, str) and value == "???":
        return [f"{key} is needed: {key}=VALUE"]
    try:
        declared = _declared_field(schema, key)
        _refuse_below_a_value(key, defaults)
    except KeyError:
        return [f"{key}: there is no such key to add"]
    default = OmegaConf.select(defaults, key)
    rule = declared.metadata.get("rule") if declared else _rule_of(key)
    try:
        value = _converted(declared.type, value) if declared else _like_default(value, default)
    except (TypeError, OmegaConfBaseException):
        kind = _in_words(declared.type) if declared else type(default).__name__
        return [f"{key}={_shown(value)}: expected {rule.expected if rule else kind}"]
    if rule and value is not None and not rule.holds(value):
        return [f"{key}={value}: expected {rule.expected}"]
    return [] if _is_finite(value) else [f"{key}={value}: expected a finite number"]


def _refuse_below_a_value(key: str, defaults: DictConfig) -> None:
    """A key below one whose default is a value and not further keys, as `loss.way.x`: KeyError."""
    parent = key.rpartition(".")[0]
    if parent and not isinstance(OmegaConf.select(defaults, parent), DictConfig | None):
        raise KeyError(key)


def _declared_field(schema: type, key: str) -> dataclasses.Field[Any] | None:
    """The field of the schema that a dotted key names; None within an open group. An unknown key: KeyError."""
    name, _, rest = key.partition(".")
    found = {entry.name: entry for entry in dataclasses.fields(schema)}[name]
    if not rest:
        return found
    if isinstance(found.type, type) and dataclasses.is_dataclass(found.type):
        return _declared_field(found.type, rest)
    if found.type != dict[str, Any]:
        raise KeyError(key)
    return None


def _rule_of(key: str) -> Rule | None:
    return next((rule for pattern, rule in RULES.items() if fnmatch(key, pattern)), None)


def _converted(declared_type: Any, value: Any) -> Any:
    """The value as the declared type. One that is not of it: OmegaConfBaseException."""
    entry = OmegaConf.structured(_entry_of(declared_type))
    entry["value"] = value
    return entry["value"]


@cache
def _entry_of(declared_type: Any) -> type:
    return dataclasses.make_dataclass("Entry", [("value", declared_type)])


def _like_default(value: Any, default: Any) -> Any:
    """The value, if it is of the default's type; a default of null takes anything. Otherwise TypeError."""
    whole_for_float = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    if default is None or whole_for_float or type(value) is type(default):
        return value
    raise TypeError


def _in_words(declared_type: Any) -> str:
    if dataclasses.is_dataclass(declared_type):
        return f"the keys {', '.join(entry.name for entry in dataclasses.fields(declared_type))}"
    if declared_type == dict[str, Any]:
        return "keys of its own"
    return str(getattr(declared_type, "__name__", declared_type)).replace(" | None", ", or null")


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _is_finite(value: Any) -> bool:
    if isinstance(value, ListConfig):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def _absent(schema: type, config: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted keys of the schema that the configuration does not have, not even as missing."""
    for entry in dataclasses.fields(schema):
        if entry.name not in list(config):  # `in config` would not see a missing value
            yield f"{prefix}{entry.name}"
        elif isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            section = OmegaConf.select(config, entry.name)
            if isinstance(section, DictConfig):
                yield from _absent(entry.type, section, f"{prefix}{entry.name}.")


def _absent_mistake(key: str) -> str:
    return f"{key} is needed: +{key}=VALUE, or a line in your YAML file"


def _needed_mistakes(config: DictConfig) -> list[str]:
    return [_absent_mistake(key) for key in NEEDED if not isinstance(OmegaConf.select(config, key), str)]


def _layout_mistakes(config: DictConfig, num_processes: int) -> list[str]:
    mistakes = []
    batch_size = int(config.batch_size)
    if batch_size % int(config.bucket_size):
        mistakes.append(
            f"bucket_size={config.bucket_size} does not divide batch_size={batch_size}; "
            f"nearest that do: {_nearest_divisors(batch_size, int(config.bucket_size))}"
        )
    if batch_size % num_processes:
        mistakes.append(
            f"batch_size={batch_size} cannot be shared by {num_processes} processes; "
            f"nearest numbers that can: {_nearest_divisors(batch_size, num_processes)}"
        )
    elif (rows := batch_size // num_processes) % int(config.microbatch_size):
        mistakes.append(
            f"microbatch_size={config.microbatch_size} does not divide the {rows} rows of each process "
            f"(batch_size={batch_size} over {num_processes}); "
            f"nearest that do: {_nearest_divisors(rows, int(config.microbatch_size))}"
        )
    return mistakes


def _head_mistakes(config: DictConfig) -> list[str]:
    """A loss with a `logit_scale` divides by it to get cosines back, so there must be cosines, and that scale."""
    loss, backbone = config.loss, config.backbone
    if "logit_scale" not in loss:
        return []
    if backbone.head != "cosine" or backbone.learn_scale or loss.logit_scale != backbone.scale:
        return [
            f"loss={loss.name} measures cosines: it needs backbone.head=cosine, backbone.learn_scale=false "
            f"and loss.logit_scale={backbone.scale}, which is backbone.scale"
        ]
    return []


def _optim_mistakes(config: DictConfig) -> list[str]:
    if config.optim.nesterov and config.optim.momentum == 0:
        return ["optim.momentum=0: optim.nesterov=true needs a momentum above 0; or take optim.nesterov=false"]
    return []


def _tracker_mistakes(config: DictConfig) -> list[str]:
    if config.tracker == "none":
        return []
    import importlib.metadata  # too slow for a run without a tracker

    try:
        importlib.metadata.version(config.tracker)
    except importlib.metadata.PackageNotFoundError:
        return [
            f"tracker={config.tracker} needs a package that is not installed: "
            f"pip install 'margin-bench[{config.tracker}]'"
        ]
    return []


def _nearest_divisors(number: int, wanted: int) -> str:
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    divisors = sorted({*small, *(number // divisor for divisor in small)})
    below = [divisor for divisor in divisors if divisor < wanted][-1:]
    above = [divisor for divisor in divisors if divisor > wanted][:1]
    return " or ".join(str(divisor) for divisor in below + above)


def identity(config: TrainConfig) -> dict[str, Any]:
    """The part of a configuration that decides a run's result; `precision` must be resolved."""
    assert config.precision != "auto"
    content = dataclasses.asdict(config)
    for key in NOT_IDENTITY:
        *parents, name = key.split(".")
        node = content
        for parent in parents:
            node = node[parent]
        node.pop(name, None)
    if config.backbone.weights is not None:
        content["backbone"]["weights_sha256"] = _weights_sha256(config.backbone.weights)
    return content


def run_id(config: TrainConfig) -> str:
    """A readable name and a hash of all that decides the result: the same command has the same id everywhere.

    It is a file name: letters and digits of ASCII, `.`, `_` and `-`.
    """
    canonical = json.dumps(identity(config), sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    way = [str(config.loss["way"])] if "way" in config.loss else []
    names = [str(config.dataset["name"]), config.backbone.name, str(config.loss["name"]), *way]
    return "-".join([*map(_file_name, names), f"seed{config.seed}", digest])


def _file_name(name: str) -> str:
    """The name with `_` for every character that a file name should not have."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return safe.replace(".", "_") if safe in (".", "..") else safe


def _weights_sha256(path: str) -> str:
    try:
        return sha256(Path(path))
    except OSError as error:
        raise DataError(f"backbone.weights={path} cannot be read: {error.strerror}; give an existing file") from error
