"""Build a backbone of timm, of torchvision or of the user's own, with a linear or a cosine head for C classes."""

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
from margin_bench.errors import CheckpointError, ConfigError, DataError, MarginBenchError, nearest
from margin_bench.training.checkpoint import load_weights

IMAGENET_CLASSES = 1000
LONGEST_CAUSE = 300  # characters of what a library says
COUNTER = "num_batches_tracked"  # of batch normalisation; older files do not have it, and nothing is lost without
PREFIXES = ("module.", "_orig_mod.")  # of tensors that were saved from DataParallel, or from a compiled model


class CosineHead(nn.Linear):
    """Give `scale` times the cosine of the angle between the features and each class vector, a row of `weight`.

    It computes in float32 whatever the precision around it: half of it cannot tell near angles apart.

    Args:
        in_features: the length D of the features (N, D).
        num_classes: the number C of the logits (N, C).
        scale: what the cosines are multiplied by, or where a learned scale starts; above 0.
        learn_scale: whether the scale is trained. It is kept as its logarithm, so it stays above 0.

    Examples:
        >>> import torch
        >>> head = CosineHead(2, 3, scale=16.0, learn_scale=False)
        >>> _ = head.weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
        >>> head(torch.tensor([[5.0, 0.0]])).tolist()
        [[16.0, 0.0, -16.0]]
    """

    def __init__(self, in_features: int, num_classes: int, scale: float, learn_scale: bool) -> None:
        super().__init__(in_features, num_classes, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(scale).log()) if learn_scale else None
        self.fixed_scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits, float32 (N, C), of features (N, D)."""
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
    """Return a library's model from images (N, 3, H, W) to logits (N, num_classes).

    Args:
        library: `timm` or `torchvision`.
        name: of the model in the library.
        num_classes: the number C of the logits.
        pretrained: start from the library's own ImageNet weights (torchvision: IMAGENET1K_V1).
        weights: start from this safetensors or weights-only file instead; its head is left out.
        options: further keyword arguments of the library's model.
        head: `linear` or `cosine`.
        scale, learn_scale: of a cosine head; see `CosineHead`.

    Raises:
        ConfigError: the library has no such model or fails with these options, an option names weights or where to
            keep them, or the head cannot become a cosine one.
        DataError: the pretrained weights cannot be loaded, or do not fit.

    Examples:
        >>> import torch
        >>> model = build_model("timm", "test_resnet", num_classes=80)
        >>> model(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 80])
    """
    build = {"timm": _timm_model, "torchvision": _torchvision_model}[library]
    options = dict(options or {})
    _refuse_loading(options)
    try:
        model = build(name, num_classes, pretrained and weights is None, options)
    except MarginBenchError:
        raise
    except Exception as error:
        if not options:
            raise
        raise ConfigError(f"backbone.options do not fit {library}'s {name}: {_first_line(error)}") from error
    return finished_model(model, weights=weights, head=head, scale=scale, learn_scale=learn_scale)


def _refuse_loading(options: Mapping[str, Any]) -> None:
    """Refuse options by which timm loads a file: its content is no part of a run's identity, and it may be a pickle."""
    for option in options:
        if option in ("checkpoint_path", "cache_dir") or option.startswith("pretrained_"):
            raise ConfigError(
                f"backbone.options.{option} is not taken, as a run must know the weights that it starts from.\n"
                "Give weights of your own as backbone.weights=FILE."
            )


def finished_model(
    model: nn.Module, *, weights: str | Path | None, head: str, scale: float, learn_scale: bool
) -> nn.Module:
    """Return a model with the head and the weights that it is to start from, channels last.

    Args:
        model: from images (N, 3, H, W) to logits (N, C).
        weights, head, scale, learn_scale: as in `build_model`.

    Raises:
        ConfigError: its head cannot become a cosine one.
        DataError: the weights cannot be loaded, or do not fit.
    """
    if head == "cosine":
        _put_cosine_head(model, scale, learn_scale)
    if weights is not None:
        _load_backbone(model, load_weights(Path(weights)), weights)
    return model.to(memory_format=torch.channels_last)


def head_of(model: nn.Module) -> nn.Module:
    """Return the layer that makes the logits: what `get_classifier()` gives, as in timm, else the last linear layer.

    Raises:
        ConfigError: `get_classifier()` gives no layer of the model with parameters, or there is no linear layer.

    Examples:
        >>> from torch import nn
        >>> head_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2)))
        Linear(in_features=4, out_features=2, bias=True)
    """
    if hasattr(model, "get_classifier"):
        named: Any = model
        return _named_head(model, named.get_classifier())
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError(
            f"{type(model).__name__} has no linear layer to take as its head.\n"
            "Give it a method get_classifier() that returns the layer that makes the logits."
        )
    return linear[-1]


def load_trained(model: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Load all tensors that a run has saved into its model.

    Args:
        model: as the run's configuration makes it today.
        state: the model's tensors by name, as they were saved.
        source: where they are from, for the message.

    Raises:
        CheckpointError: they do not fit the model.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise CheckpointError(
            f"the tensors in {source} do not fit {type(model).__name__}: {first[0].strip()}\n"
            "The code of the backbone has changed since. Restore it, or delete the run's folder and run it again."
        ) from error


def check_fits(model: nn.Module, images: Tensor, num_classes: int) -> None:
    """Refuse a model that does not make logits of images of this size, or that has nothing to train.

    Args:
        images: float (N, 3, H, W), as from `model_inputs`.
        num_classes: the number C of logits that it is to give each image.

    Raises:
        ConfigError: it fails on them, what it gives is no tensor (N, num_classes), no parameter wants a gradient, or a
            complex one does.
    """
    name = type(model).__name__
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"{name} has no parameter that wants a gradient, so there is nothing to train.")
    if any(parameter.requires_grad and parameter.is_complex() for parameter in model.parameters()):
        raise ConfigError(f"{name} has complex parameters, which cannot be trained here. Make them of real numbers.")
    model.eval()
    try:
        with torch.no_grad():
            logits = model(images)
    except (ArithmeticError, AssertionError, IndexError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{name} does not take images of {images.shape[2]} x {images.shape[3]} pixels: "
            f"{str(error).splitlines()[0]}\nChange transforms.image_size or dataset, or take another backbone."
        ) from error
    model.train()
    expected = (len(images), num_classes)
    if not isinstance(logits, Tensor) or logits.shape != expected:
        came = f"a tensor {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigError(
            f"{name} gives {came} for images {tuple(images.shape)}.\n"
            f"Expected logits, a tensor {expected}: one number for each image and class."
        )


def model_inputs(images: Tensor, device: torch.device) -> Tensor:
    """Return a batch from the loader as a model takes it: on the device, channels last, normalised.

    Args:
        images: uint8 (N, 3, H, W).
        device: of the model.

    Returns:
        float32 (N, 3, H, W).
    """
    return normalise(images.to(device, non_blocking=True, memory_format=torch.channels_last))


def _timm_model(name: str, num_classes: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    if not timm.is_model(name):
        raise ConfigError(
            f"timm {timm.__version__} has no model backbone.name={name}{nearest(name, timm.list_models())}\n"
            f"One that your own package registers: backbone=own backbone._target_=my_package.{name}"
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
        timm.create_model(name, num_classes=num_classes, **options)  # raises what is wrong with the options
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
        if not pretrained:
            raise
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


def _named_head(model: nn.Module, head: Any) -> nn.Module:
    """Return what `get_classifier()` gave, if it is a layer of the model that can be trained."""
    if not isinstance(head, nn.Module) or head not in model.modules() or not list(head.parameters()):
        raise ConfigError(
            f"{type(model).__name__}.get_classifier() gives {type(head).__name__}, "
            "no layer of the model with parameters.\n"
            "Choose another backbone, or let it return the layer that makes the logits."
        )
    return head


def _put_cosine_head(model: nn.Module, scale: float, learn_scale: bool) -> None:
    head = head_of(model)
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"the head of {type(model).__name__} is {type(head).__name__}; a cosine head takes the place of a "
            "linear one.\nChoose another backbone, or backbone.head=linear."
        )
    _replace(model, head, CosineHead(head.in_features, head.out_features, scale, learn_scale))


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    parent, _, attribute = _path_of(model, old).rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)


def _path_of(model: nn.Module, part: nn.Module) -> str:
    paths: list[str] = [path for path, module in model.named_modules() if module is part]
    return paths[0]


def _load_backbone(model: nn.Module, state: dict[str, Tensor], source: str | Path) -> None:
    """Load everything but the head, of which the file may hold another one or none."""
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
    """Return the name of a tensor in today's models of torchvision: its DenseNet files have `norm.1` for `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


def _no_weights(library: str, name: str, cause: object) -> DataError:
    return DataError(
        f"{library}'s pretrained weights of {name} could not be loaded: {_first_line(cause)}\n"
        "Give a local copy as backbone.weights=FILE (safetensors or a weights-only file),\n"
        "or start from random weights by backbone.pretrained=false."
    )


def _first_line(cause: object) -> str:
    """Return the first line of what a library says, of a long one whole sentences; its kind where it says nothing."""
    line = str(cause).strip().partition("\n")[0] or type(cause).__name__
    whole = line[:LONGEST_CAUSE].rpartition(". ")[0] or line[:LONGEST_CAUSE]
    return line if len(line) <= LONGEST_CAUSE else f"{whole}."
