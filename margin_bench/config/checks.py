"""Find what is wrong with the values of a configuration before any work starts. Imports no torch."""

import dataclasses
import math
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from margin_bench.config.schema import (
    NAME,
    OPEN_GROUPS,
    REVISION,
    SCHEMAS,
    SEED,
    TEMPERATURE,
    WAYS,
    EvaluateConfig,
    Rule,
    TrainConfig,
    at_least,
    chosen_metrics,
    metric_names,
    one_of,
)
from margin_bench.config.sources import our_files
from margin_bench.errors import nearest
from margin_bench.runtime.console import counted

# What the open groups must say, where a loss or a data set brings its own parameters.
NEEDED = ("dataset.name", "dataset._target_", "transforms._target_", "loss.name", "loss._target_")

# Keys of the open groups: words that mean the same everywhere.
RULES = {
    "loss.way": one_of(*WAYS),
    "loss.seed": SEED,
    "loss.denominator": one_of("both_sides", "positive"),
    "loss.*temperature": TEMPERATURE,
    "loss.margin": at_least(0, below=10**6),
    "loss.name": NAME,
    "dataset.name": NAME,
    "dataset.num_*": at_least(1),
    "transforms.image_size": at_least(1, below=2**13 + 1),
    **{f"{group}.revision": REVISION for group in OPEN_GROUPS},
}

# Keys that one rule reads together.
RELATED = (
    frozenset({"batch_size", "bucket_size", "microbatch_size", "devices"}),
    frozenset({"optim.momentum", "optim.nesterov"}),
    frozenset({"optim.head_lr", "optim.backbone_lr"}),
    frozenset({"backbone", "backbone.library", "backbone._target_"}),
    frozenset({"loss", "backbone", "backbone.head", "backbone.learn_scale", "backbone.scale", "loss.logit_scale"}),
)


def mistakes_in(command: str, config: DictConfig, defaults: DictConfig, num_processes: int | None = None) -> list[str]:
    """Find every mistake in the values of a composed configuration, and return a line for each.

    Args:
        defaults: the same groups without the user's values, whose types stand for the keys of the open groups.
        num_processes: how many processes an outer launcher has started; None: `devices`.
    """
    schema = SCHEMAS[command]
    mistakes = [_absent_mistake(key) for key in _absent(schema, config)]
    mistakes += _key_mistakes(OmegaConf.to_container(config))
    mistakes += _unknown_key_mistakes(config) if schema is TrainConfig else []
    for key, value in _leaves(config):
        mistakes += _value_mistakes(schema, key, value, defaults)
    if schema is TrainConfig:
        mistakes = mistakes or _needed_mistakes(config)
        mistakes = mistakes or [
            *_layout_mistakes(config, num_processes or config.devices),
            *_backbone_mistakes(config),
            *_head_mistakes(config),
            *_optim_mistakes(config),
            *_tracker_mistakes(config),
        ]
    if schema is EvaluateConfig:
        mistakes = mistakes or _metric_mistakes(config)
    return mistakes


def _leaves(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every entry that is no mapping; `???` where a value is missing."""
    for key in config:
        path = f"{prefix}{key!s}"
        value = "???" if OmegaConf.is_missing(config, key) else config[key]
        if isinstance(value, DictConfig) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _key_mistakes(content: Any, prefix: str = "") -> list[str]:
    """Return a line for each key that is no text, in lists as well: a record, which is JSON, cannot tell 1 from '1'."""
    mistakes = []
    if isinstance(content, list):
        mistakes += [mistake for item in content for mistake in _key_mistakes(item, prefix)]
    for key, value in content.items() if isinstance(content, dict) else ():
        if not isinstance(key, str):
            mistakes.append(f"{prefix}{key}: expected a key that is text; in a YAML file put it in quotes")
        mistakes += _key_mistakes(value, f"{prefix}{key}.")
    return mistakes


def _unknown_key_mistakes(config: DictConfig) -> list[str]:
    """Return a line for each key of the transforms that they do not take, if they are ours: they have no more."""
    section = OmegaConf.select(config, "transforms")
    if not isinstance(section, DictConfig):
        return []
    target = str(section.get("_target_"))
    known = {key for ours in our_files("transforms") if ours["_target_"] == target for key in ours}
    unknown = [str(key) for key in section if key not in {*known, "name", "revision", "about"}] if known else []
    return [f"transforms.{key}: {target} has no such parameter{nearest(key, known)}" for key in unknown]


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
    """Raise KeyError for a key below one whose default is a value and no further keys, as `loss.way.x`."""
    parent = key.rpartition(".")[0]
    if parent and not isinstance(OmegaConf.select(defaults, parent), DictConfig | None):
        raise KeyError(key)


def _declared_field(schema: type, key: str) -> dataclasses.Field[Any] | None:
    """Return the field of the schema that a dotted key names; None within an open group; KeyError if it is unknown."""
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
    """Return the value as the declared type; OmegaConfBaseException if it is not of it."""
    entry = OmegaConf.structured(_entry_of(declared_type))
    entry["value"] = value
    return entry["value"]


@cache
def _entry_of(declared_type: Any) -> type:
    return dataclasses.make_dataclass("Entry", [("value", declared_type)])


def _like_default(value: Any, default: Any) -> Any:
    """Return the value if it is of the default's type, any if that is null; TypeError if it is not."""
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
    if isinstance(value, ListConfig | DictConfig):
        return all(_is_finite(item) for item in (value.values() if isinstance(value, DictConfig) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _absent(schema: type, config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of the schema that the configuration does not have, not even as missing."""
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
            f"microbatch_size={config.microbatch_size} does not divide the {counted(rows, 'row')} of each process "
            f"(batch_size={batch_size} over {num_processes}); "
            f"nearest that do: {_nearest_divisors(rows, int(config.microbatch_size))}"
        )
    return mistakes


def _backbone_mistakes(config: DictConfig) -> list[str]:
    """Return a line if the backbone is neither a library's nor the user's own, or both."""
    backbone = config.backbone
    if backbone.library is None and backbone._target_ is None:
        return [
            "backbone._target_ is needed: backbone._target_=my_package.MyNet for one of your own, "
            "or backbone.library=timm for a library's"
        ]
    if backbone.library is not None and backbone._target_ is not None:
        return [
            f"backbone._target_={backbone._target_} and backbone.library={backbone.library} are two backbones; "
            "for your own take backbone=own, or leave library out of your YAML file"
        ]
    return []


def _head_mistakes(config: DictConfig) -> list[str]:
    """Check that the logits of a loss with a `logit_scale` are cosines times that scale, as it divides by it."""
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
    if config.optim.head_lr == 0 and config.optim.backbone_lr == 0:
        return ["optim.head_lr=0 and optim.backbone_lr=0 train nothing: give one of them a rate above 0"]
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


def _metric_mistakes(config: DictConfig) -> list[str]:
    """Name what is no metric of the catalogue; one with a dot is the user's own, and looked for when it is needed."""
    known = metric_names()
    unknown = [name for name in chosen_metrics(config.metric.names) if "." not in name and name not in known]
    return [
        f"metric.names: there is no metric {name}{nearest(name, known)} (known: {', '.join(known)}; one of your own is "
        "given as package.function)"
        for name in unknown
    ]


def _nearest_divisors(number: int, wanted: int) -> str:
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    divisors = sorted({*small, *(number // divisor for divisor in small)})
    below = [divisor for divisor in divisors if divisor < wanted][-1:]
    above = [divisor for divisor in divisors if divisor > wanted][:1]
    return " or ".join(str(divisor) for divisor in below + above)
