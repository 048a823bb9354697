"""Make the parts that a checked configuration names: splits, model, loss, loaders, trainer."""

import dataclasses
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from margin_bench.config.build import build, call, takes
from margin_bench.config.schema import BackboneConfig, TrainConfig
from margin_bench.data.holdout import hold_out
from margin_bench.data.image_files import check_image_files
from margin_bench.data.loading import BatchLoader, TrainSampler, first_image, num_steps, test_loader, train_loader
from margin_bench.data.split import ImageFiles, Split
from margin_bench.errors import ConfigError, DataError
from margin_bench.runtime.console import say
from margin_bench.runtime.hardware import usable_cores
from margin_bench.runtime.world import World
from margin_bench.targets import check_targets, class_frequencies, positives
from margin_bench.training.buckets import BatchLayout
from margin_bench.training.models import build_model, check_fits, finished_model, head_of, model_inputs
from margin_bench.training.optim import build_optimizer
from margin_bench.training.trainer import Trainer


def load_split(dataset: dict[str, Any], name: str) -> Split:
    """Return the `train` or `test` split of a data set, checked.

    Args:
        dataset: the group of the configuration.
        name: `train` or `test`.

    Raises:
        ConfigError: its loader cannot be called.
        DataError: an annotation is wrong; its images, targets and class names do not fit together; an image file is
            missing; or it holds no positive.
    """
    split: Split = build(dataset, split=name)
    which = f"the {name} split of dataset={dataset['name']}"
    if not isinstance(split, Split):
        raise ConfigError(f"{dataset['_target_']} returned {type(split).__name__}; expected a margin_bench Split")
    if split.faults:
        raise DataError(
            f"the annotations of {which} are faulty: {split.faults[0]}\n"
            f"{len(split.faults):,} in all; {_check_command()} lists them"
        )
    _check_split(split, which)
    if os.environ.get("RANK", "0") == "0":
        for note in split.notes:
            say(f"{which}: {note}", sys.stderr)
    return split


def _check_command() -> str:
    """Return the command that lists all faults of the data set that this process was started with."""
    words = [word.lstrip("+") for word in sys.argv[1:]]
    chosen = [word.partition("=")[2] for word in words if word.startswith("dataset=")]
    options = [word for word in words if word.startswith(("dataset.", "data.holdout="))]
    if not chosen:
        return "`margin-bench data check NAME dataset.KEY=VALUE ...`, with the words of this run,"
    return f"`{shlex.join(['margin-bench', 'data', 'check', chosen[-1], *options])}`"


def _check_split(split: Split, which: str) -> None:
    """Check that images, targets and class names fit together and that there is a positive; `which` split, in words."""
    check_targets(split.targets)
    num_images, num_classes = len(split.images), len(split.class_names)
    if split.targets.shape != (num_images, num_classes):
        raise DataError(
            f"{which} has {num_images} images and {num_classes} class names,\n"
            f"but targets of shape {split.targets.shape}; give one row per image and one column per class"
        )
    _check_images(split.images, which)
    if not positives(split.targets).any():
        raise DataError(f"{which} holds no positive; check what it is made from")


def _check_images(images: Any, which: str) -> None:
    """Check that images are an array of uint8, or paths, of which none is missing in a folder of image files."""
    if isinstance(images, np.ndarray) and (images.dtype != np.uint8 or images.shape[3:] != (3,)):
        raise DataError(
            f"{which} has images {images.dtype} {images.shape};\ngive uint8 (N, H, W, 3), RGB, or a list of image files"
        )
    if isinstance(images, list | tuple) and not all(isinstance(image, Path) for image in images):
        raise DataError(f"{which} has images that are no paths;\ngive a list of pathlib.Path, or uint8 (N, H, W, 3)")
    if isinstance(images, ImageFiles):
        check_image_files(images)


def load_splits(dataset: dict[str, Any], holdout: float) -> tuple[Split, Split]:
    """Return the split to train on and the one to score.

    Args:
        dataset: the group of the configuration.
        holdout: 0 for the train and the test split; else the share of the train split that is scored, and the rest of
            it is trained on.

    Raises:
        ConfigError: as `load_split`.
        DataError: as `load_split`, or the classes of the two differ, or one is without a positive.
    """
    train = load_split(dataset, "train")
    if holdout:
        parts = hold_out(train, holdout)
        if not all(positives(part.targets).any() for part in parts):
            raise DataError(
                f"data.holdout={holdout} of the train split of dataset={dataset['name']} ({len(train)} samples) leaves "
                "a part without a positive,\nto train on or to score. Hold out another share."
            )
        return parts
    test = load_split(dataset, "test")
    if difference := class_difference(train.class_names, test.class_names):
        raise DataError(
            f"the classes of the splits of dataset={dataset['name']} differ: {difference}\n"
            "Give both the same classes in the same order."
        )
    return train, test


def class_difference(names: Sequence[str], others: Sequence[str]) -> str:
    """Return the first classes that differ, in words; an empty text if none do.

    Examples:
        >>> class_difference(["cat", "dog"], ["cat", "cow"])
        'dog and cow'
        >>> class_difference(["cat"], ["cat", "cow"])
        'their numbers'
    """
    if list(names) == list(others):
        return ""
    return next((f"{a} and {b}" for a, b in zip(names, others, strict=False) if a != b), "their numbers")


def model_of(backbone: BackboneConfig, num_classes: int, pretrained: bool) -> nn.Module:
    """Return the backbone with its head, from the weights that the configuration says, or without any of them.

    Raises:
        ConfigError: as `build_model`, or as `_own_model`.
        DataError: the weights cannot be loaded, or do not fit.
    """
    weights = backbone.weights if pretrained else None
    pretrained = pretrained and backbone.pretrained and weights is None
    head: dict[str, Any] = {"head": backbone.head, "scale": backbone.scale, "learn_scale": backbone.learn_scale}
    if backbone.library is None:
        return finished_model(_own_model(backbone, num_classes, pretrained), weights=weights, **head)
    return build_model(
        backbone.library,
        backbone.name,
        num_classes,
        pretrained=pretrained,
        weights=weights,
        options=backbone.options,
        **head,
    )


def _own_model(backbone: BackboneConfig, num_classes: int, pretrained: bool) -> nn.Module:
    """Return the model that the user's own class or function makes.

    It is called with `num_classes` and the options, and with `pretrained=True` where that is asked for.

    Raises:
        ConfigError: there is no such target, it does not take these arguments, or it makes no model with a head.
    """
    target = backbone._target_
    assert target is not None  # config.checks
    if "num_classes" in backbone.options:
        raise ConfigError("backbone.options.num_classes is the number of classes of the data set; leave it out")
    if pretrained and not takes({"_target_": target}, "pretrained"):
        raise ConfigError(
            f"backbone.pretrained=true, but {target} has no parameter `pretrained`.\n"
            "Leave it out; weights from a file are backbone.weights=FILE."
        )
    more = {"pretrained": True} if pretrained else {}
    try:
        model = call(target, {**backbone.options, "num_classes": num_classes, **more})
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nbackbone._target_={target} is called with num_classes={num_classes} and backbone.options."
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"backbone._target_={target} gives {type(model).__name__}; expected a torch.nn.Module")
    if any(isinstance(module, LazyModuleMixin) for module in model.modules()):
        raise ConfigError(f"{type(model).__name__} has lazy layers, whose weights are not made yet; give their sizes")
    _check_own_head(model, num_classes)
    return model


def _check_own_head(model: nn.Module, num_classes: int) -> None:
    """Refuse a linear layer for the head that does not make the logits, as another layer was made after it."""
    head = head_of(model)
    if isinstance(head, nn.Linear) and head.out_features != num_classes:
        raise ConfigError(
            f"the head of {type(model).__name__}, {head}, does not make logits of {num_classes} classes.\n"
            "Give it a method get_classifier() that returns the layer that does."
        )


def loss_of(loss: dict[str, Any], split: Split, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss; one with a parameter `class_frequencies` is given those of the training targets.

    Args:
        loss: the group of the configuration.
        split: what is trained on.
        device: where the loss computes.

    Raises:
        ConfigError: the configuration gives class frequencies itself, or the loss cannot be built, or has a state.
    """
    more = {}
    if takes(loss, "class_frequencies"):
        if "class_frequencies" in loss:
            raise ConfigError("loss.class_frequencies is counted on the training targets; leave it out")
        more["class_frequencies"] = torch.from_numpy(class_frequencies(split.targets))
    built: Callable[[Tensor, Tensor], Tensor] = build(loss, **more)
    _check_call(built)
    if isinstance(built, nn.Module):
        _refuse_state(built)
    return built.to(device) if isinstance(built, nn.Module) else built


def _check_call(loss: Any) -> None:
    """Refuse what cannot be called as a loss is."""
    function = loss.forward if isinstance(loss, nn.Module) else loss
    try:
        inspect.signature(function).bind("logits", "targets")
    except TypeError as error:
        raise ConfigError(
            f"{type(loss).__name__} is no loss, which is called as loss(logits, targets): {error}\n"
            "Give it these two, a float (M, C) and an int8 (M, C), and no other without a default."
        ) from error


def _refuse_state(loss: nn.Module) -> None:
    """Refuse a loss that learns or remembers: its parameters would not be trained, nor its buffers saved.

    Those of our losses and of torch's are constants.
    """
    for name, module in loss.named_modules():
        if type(module).__module__.startswith(("margin_bench.losses.", "torch.nn.")):
            continue
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        if own:
            path = ".".join(filter(None, [name, own[0][0]]))
            kind = "parameter" if isinstance(own[0][1], nn.Parameter) else "buffer"
            raise ConfigError(
                f"{type(loss).__name__} has the {kind} {path}: what a loss learns or remembers is not saved\n"
                "or trained. Keep constants as plain attributes, moved by .to(logits.device)."
            )


def evaluation_batches(config: TrainConfig, split: Split, world: World) -> BatchLoader:
    """Return this process's share of a split to score, in batches of `microbatch_size`."""
    return test_loader(
        split,
        build(config.transforms),
        batch_size=config.microbatch_size,
        rank=world.rank,
        world_size=world.size,
        workers=_num_workers(config.workers, split, world),
        pin_memory=world.device.type == "cuda",
    )


def trainer_of(config: TrainConfig, split: Split, world: World) -> Trainer:
    """Return all that trains a run, as it is at the first step.

    Raises:
        ConfigError: the model or the loss cannot be built, or the model does not make logits of these images.
        DataError: its weights cannot be loaded, or the first image cannot be read.
    """
    torch.manual_seed(config.seed)
    num_classes = len(split.class_names)
    model = model_of(config.backbone, num_classes, pretrained=True).to(world.device)
    transform = build(config.transforms)
    check_fits(model, model_inputs(first_image(split, transform), world.device), num_classes)
    sampler = _sampler_of(config, len(split), world)
    batches = train_loader(
        split,
        transform,
        sampler,
        workers=_num_workers(config.workers, split, world),
        pin_memory=world.device.type == "cuda",
    )
    return Trainer(
        model=model,
        optimizer=_optimizer_of(config, model),
        loss=loss_of(config.loss, split, world.device),
        batches=batches,
        sampler=sampler,
        layout=BatchLayout(config.batch_size, config.bucket_size, config.microbatch_size, world.rank, world.size),
        world=world,
        precision=config.precision,
        seed=config.seed,
        epochs=config.epochs,
        steps_per_epoch=num_steps(len(split), config.batch_size),
        measure_every=int(config.diagnostics),
    )


def _sampler_of(config: TrainConfig, num_samples: int, world: World) -> TrainSampler:
    """Return what chooses the samples of this process's microbatches."""
    return TrainSampler(
        num_samples=num_samples,
        seed=config.seed,
        batch_size=config.batch_size,
        microbatch_size=config.microbatch_size,
        rank=world.rank,
        world_size=world.size,
        fixed_order=config.data.quirks.fixed_buckets,
    )


def _optimizer_of(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of all parameters, the head's at a rate of their own; its step is not fused in fp16."""
    return build_optimizer(
        model, head_of(model).parameters(), **dataclasses.asdict(config.optim), fused=config.precision != "fp16"
    )


def _num_workers(workers: int | None, split: Split, world: World) -> int:
    """Return how many loader processes to start; unless configured, one per core for image files, else none."""
    if workers is not None:
        return workers
    return 0 if isinstance(split.images, np.ndarray) else max(1, usable_cores() // world.size)
