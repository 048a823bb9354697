"""Backbones of timm and torchvision with a linear or a cosine head for C classes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from margin_bench.data.loading import normalise
from margin_bench.errors import ConfigError, DataError, nearest
from margin_bench.training.checkpoint import load_weights

IMAGENET_CLASSES = 1000
COUNTER = "num_batches_tracked"  # of batch normalisation; older files do not have it, and it weighs nothing


PREFIXES = ("module.", "_orig_mod.")  # of tensors that were saved from DataParallel, or from a compiled model


class CosineHead(nn.Linear):
    """`scale` times the cosine of the angle between the features and each class vector, a row of `weight`.

    Computed in float32 whatever the precision around it, as half of it tells near angles apart no more.

    Args:
        scale: what the cosines are multiplied by, or where a learned scale, kept as its logarithm, starts.
    """

    def __init__(self, in_features: int, num_classes: int, scale: float, learn_scale: bool) -> None:
        super().__init__(in_features, num_classes, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(scale).log()) if learn_scale else None
        self.fixed_scale = scale

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            cosines = F.linear(F.normalize(features.float()), F.normalize(self.weight))
            return cosines * (self.fixed_scale if self.log_scale is None else self.log_scale.exp())


def build_model(
    library: str,
    name: str,
    num_classes: int,
    *,
    pretrained: bool = False,
    weights: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    head: str = "linear",
    scale: float = 1.0,
    learn_scale: bool = False,
) -> nn.Module:
    """A model from images (N, 3, H, W) to logits (N, num_classes).

    Args:
        library: `timm` or `torchvision`.
        pretrained: start from the library's own ImageNet weights (torchvision: IMAGENET1K_V1).
        weights: start from this safetensors or weights-only file instead; its head is left out.
        options: further keyword arguments of the library's model.
        head: `linear` or `cosine`.
        scale, learn_scale: of a cosine head; see `CosineHead`.

    Raises:
        ConfigError: the library has no such model, does not know an option, or its head cannot be a cosine one.
        DataError: the pretrained weights are not to be had, or do not fit.
    """
    build = {"timm": _timm_model, "torchvision": _torchvision_model}[library]
    try:
        model = build(name, num_classes, pretrained and weights is None, dict(options or {}))
    except TypeError as error:
        raise ConfigError(f"backbone.options do not fit {library}'s {name}: {error}") from error
    if head == "cosine":
        _put_cosine_head(model, scale, learn_scale)
    if weights is not None:
        _load_backbone(model, load_weights(Path(weights)), weights)
    return model.to(memory_format=torch.channels_last)


def head_of(model: nn.Module) -> nn.Module:
    """The layer that makes the logits: as timm names it, or the one linear layer that the model ends in."""
    if hasattr(model, "get_classifier"):
        named: Any = model
        head = named.get_classifier()
        if not isinstance(head, nn.Module) or not list(head.parameters()):
            raise ConfigError(f"{type(model).__name__} has no single classifier layer; choose another backbone.name")
        return head
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def check_takes(model: nn.Module, images: Tensor) -> None:
    """Expects a model to take images of this size.

    Args:
        images: float (N, 3, H, W), as from `model_inputs`.

    Raises:
        ConfigError: it fails on them.
    """
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{type(model).__name__} does not take images of {images.shape[2]} x {images.shape[3]} pixels: "
            f"{str(error).splitlines()[0]}\nChange transforms.image_size or dataset, or take another backbone.name."
        ) from error
    model.train()


def model_inputs(images: Tensor, device: torch.device) -> Tensor:
    """A batch from the loader as a model takes it: on the device, channels last, normalised."""
    return normalise(images.to(device, non_blocking=True, memory_format=torch.channels_last))


def _timm_model(name: str, num_classes: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    if not timm.is_model(name):
        raise ConfigError(
            f"timm {timm.__version__} has no model backbone.name={name}{nearest(name, timm.list_models())}"
        )
    if pretrained and not getattr(timm.get_pretrained_cfg(name), "has_weights", False):
        raise _no_weights("timm", name, "there are none")
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **options)
    except TypeError:
        raise
    except Exception as error:
        if not pretrained:
            raise
        raise _no_weights("timm", name, error) from error


def _torchvision_model(name: str, num_classes: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        raise ConfigError(f"torchvision has no model backbone.name={name}{nearest(name, names)}")
    try:
        model: nn.Module = torchvision.models.get_model(
            name, weights="IMAGENET1K_V1" if pretrained else None, **options
        )
    except (OSError, KeyError) as error:  # no network, or no IMAGENET1K_V1 weights of this model
        raise _no_weights("torchvision", name, error) from error
    _replace_torchvision_head(model, num_classes)
    return model


def _replace_torchvision_head(model: nn.Module, num_classes: int) -> None:
    heads = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == IMAGENET_CLASSES
    ]
    if len(heads) != 1:
        raise ConfigError(f"{type(model).__name__} does not end in one linear layer; choose another backbone.name")
    (head,) = heads
    _replace(model, head, nn.Linear(head.in_features, num_classes))


def _put_cosine_head(model: nn.Module, scale: float, learn_scale: bool) -> None:
    head = head_of(model)
    if not isinstance(head, nn.Linear):
        raise ConfigError(f"{type(model).__name__} has no linear head to replace; choose another backbone.name")
    _replace(model, head, CosineHead(head.in_features, head.out_features, scale, learn_scale))


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    parent, _, attribute = _path_of(model, old).rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)


def _path_of(model: nn.Module, part: nn.Module) -> str:
    paths: list[str] = [path for path, module in model.named_modules() if module is part]
    return paths[0]


def _load_backbone(model: nn.Module, state: dict[str, Tensor], source: str | Path) -> None:
    """Loads everything but the head, of which the file may hold another one or none."""
    for prefix in PREFIXES:
        consume_prefix_in_state_dict_if_present(state, prefix)
    state = {_current_name(name): tensor for name, tensor in state.items()}
    head = f"{_path_of(model, head_of(model))}."
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(head)}
    wrong = [name for name in state if name not in wanted and not name.startswith(head)]
    missing = [name for name in wanted if name not in state and not name.endswith(COUNTER)]
    wrong += missing + [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if wrong:
        names = ", ".join(sorted(wrong)[:3])
        raise DataError(
            f"{source} does not fit the backbone: {len(wrong)} tensors missing, unknown or misshapen ({names}).\n"
            "Give weights of this very model, or change backbone.name or backbone.options."
        )
    model.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)


def _current_name(name: str) -> str:
    """The name of a tensor in torchvision's models of today: its DenseNet files still have `norm.1` for `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


def _no_weights(library: str, name: str, cause: object) -> DataError:
    first_line = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return DataError(
        f"{library}'s pretrained weights of {name} could not be loaded: {first_line[:200]}\n"
        "Give a local copy as backbone.weights=FILE (safetensors or a weights-only file),\n"
        "or start from random weights by backbone.pretrained=false."
    )
