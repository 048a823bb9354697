"""The configuration: its schema, its check before any work starts, and the identity of a run. Imports no torch."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from margin_bench.errors import DataError

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


def at_least(minimum: int) -> Rule:
    return Rule(f"a number of at least {minimum}", lambda value: math.isfinite(value) and value >= minimum)


def above_zero() -> Rule:
    return Rule("a number above 0", lambda value: 0 < value < math.inf)


def one_of(*names: str) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


# Keys of the open groups, where a loss or a data set brings its own parameters: words that mean the same everywhere.
RULES = {
    "loss.way": one_of(*WAYS),
    "loss.*temperature": at_least(0),
    "dataset.num_*": at_least(1),
    "transforms.image_size": at_least(1),
}


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
    momentum: float = field(metadata={"rule": at_least(0)})
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
    batch_size: int = field(metadata={"rule": at_least(1)})
    bucket_size: int = field(metadata={"rule": at_least(1)})
    microbatch_size: int = field(metadata={"rule": at_least(1)})
    seed: int = field(metadata={"rule": at_least(0)})
    devices: int = field(metadata={"rule": at_least(1)})
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
    devices: int = field(metadata={"rule": at_least(1)})
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
    mistakes = [mistake for key, value in leaves(config) for mistake in _value_mistakes(schema, key, value, defaults)]
    if not mistakes and schema is TrainConfig:
        mistakes = _layout_mistakes(config, num_processes or config.devices) + _head_mistakes(config)
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
    except KeyError:
        return [f"{key}: there is no such key to add"]
    rule = declared.metadata.get("rule") if declared else _rule_of(key)
    try:
        value = _converted(declared, value) if declared else _like_default(value, OmegaConf.select(defaults, key))
    except (TypeError, OmegaConfBaseException):
        expected = _in_words(declared.type) if declared else f"{type(OmegaConf.select(defaults, key)).__name__}"
        return [f"{key}={value!s}: expected {rule.expected if rule else expected}"]
    return [f"{key}={value}: expected {rule.expected}"] if rule and value is not None and not rule.holds(value) else []


def _declared_field(schema: type, key: str) -> dataclasses.Field[Any] | None:
    """The field of the schema that a dotted key names; None within an open group. An unknown key: KeyError."""
    name, _, rest = key.partition(".")
    found = {entry.name: entry for entry in dataclasses.fields(schema)}[name]
    if not rest:
        return found
    return (
        _declared_field(found.type, rest)
        if isinstance(found.type, type) and dataclasses.is_dataclass(found.type)
        else None
    )


def _rule_of(key: str) -> Rule | None:
    return next((rule for pattern, rule in RULES.items() if fnmatch(key, pattern)), None)


def _converted(declared: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the declared type. One that is not of it: OmegaConfBaseException."""
    entry = OmegaConf.structured(dataclasses.make_dataclass("Entry", [("value", declared.type)]))
    entry["value"] = value
    return entry["value"]


def _like_default(value: Any, default: Any) -> Any:
    """The value, if it is of the default's type; a default of null takes anything. Otherwise TypeError."""
    whole_for_float = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    if default is None or value is None or whole_for_float or type(value) is type(default):
        return value
    raise TypeError


def _in_words(declared_type: Any) -> str:
    return str(getattr(declared_type, "__name__", declared_type)).replace(" | None", ", or null")


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


def _nearest_divisors(number: int, wanted: int) -> str:
    divisors = [divisor for divisor in range(1, number + 1) if number % divisor == 0]
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
        content["backbone"]["weights_sha256"] = _file_sha256(Path(config.backbone.weights))
    return content


def run_id(config: TrainConfig) -> str:
    """A readable name and a hash of all that decides the result: the same command has the same id everywhere."""
    canonical = json.dumps(identity(config), sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
    way = [str(config.loss["way"])] if "way" in config.loss else []
    names = [str(config.dataset["name"]), config.backbone.name.replace("/", "_"), str(config.loss["name"]), *way]
    return "-".join([*names, f"seed{config.seed}", digest])


def _file_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"backbone.weights={path} cannot be read: {error.strerror}; give an existing file") from error
