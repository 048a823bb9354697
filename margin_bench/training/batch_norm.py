"""Keep the running statistics of batch normalisation free of how the microbatches were spread over processes."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from margin_bench.runtime.world import World


def _tracking_modules(model: nn.Module) -> list[_BatchNorm]:
    """Return the modules whose running statistics a forward moves."""
    modules = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    return [module for module in modules if module.training and module.track_running_stats]


@contextlib.contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Let forwards in the block normalise by their own microbatch, and leave the running statistics alone."""
    modules = _tracking_modules(model)
    for module in modules:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in modules:
            module.track_running_stats = True


@contextlib.contextmanager
def merged_statistics(model: nn.Module, world: World, num_microbatches: int) -> Iterator[None]:
    """Leave every process with the running statistics of one process that saw all microbatches, in the order of ranks.

    A forward moves the statistics from s to (1 - momentum) s + momentum x. Over the k microbatches of a process this
    is keep s + d with keep = (1 - momentum)^k, so the d of the processes can be chained: s, then keep s + d_0, then
    keep (keep s + d_0) + d_1, and so on.

    Args:
        num_microbatches: forwards that each process makes in the block.

    Raises:
        ValueError: a momentum is None, a plain mean over all forwards: it cannot be chained.
        LostProcessError: another process of the run ends meanwhile.
    """
    modules = _tracking_modules(model) if world.size > 1 else []
    if not modules:
        yield
        return
    keep = torch.cat([_keep_factors(module, num_microbatches) for module in modules])
    before = _running_statistics(modules)
    yield
    merged = before
    for moved in world.gather_rows((_running_statistics(modules) - keep * before)[None]):
        merged = keep * merged + moved
    _set_running_statistics(modules, merged)
    for module in modules:
        if module.num_batches_tracked is not None:
            module.num_batches_tracked += num_microbatches * (world.size - 1)


def _keep_factors(module: _BatchNorm, num_microbatches: int) -> Tensor:
    """Return for each running statistic how much of it so many forwards leave."""
    if module.momentum is None:
        raise ValueError("batch normalisation with momentum=None cannot be trained on several processes; set a number")
    return torch.full_like(torch.cat(_buffers([module])), (1 - module.momentum) ** num_microbatches)


def _running_statistics(modules: list[_BatchNorm]) -> Tensor:
    """Return all running statistics in one piece."""
    return torch.cat(_buffers(modules))


def _set_running_statistics(modules: list[_BatchNorm], statistics: Tensor) -> None:
    """Write back what `_running_statistics` has gathered."""
    buffers = _buffers(modules)
    for buffer, value in zip(buffers, torch.split(statistics, [len(buffer) for buffer in buffers]), strict=True):
        buffer.copy_(value)


def _buffers(modules: list[_BatchNorm]) -> list[Tensor]:
    """Return the running means and variances, module by module."""
    buffers = [buffer for module in modules for buffer in (module.running_mean, module.running_var)]
    return [buffer for buffer in buffers if buffer is not None]
