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
    return [
        module
        for module in modules
        if module.training and module.track_running_stats and module.num_batches_tracked is not None
    ]


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
def merged_statistics(model: nn.Module, world: World) -> Iterator[None]:
    """Leave every process with the running statistics of one process that saw all microbatches, in the order of ranks.

    A forward of a module moves its statistics from s to (1 - momentum) s + momentum x. Over the k forwards that it
    makes in a process this is keep s + d with keep = (1 - momentum)^k, so the d of the processes can be chained: s,
    then keep_0 s + d_0, then keep_1 (keep_0 s + d_0) + d_1, and so on. The module counts its forwards itself: a model
    may leave it out for some microbatches, or use it twice.

    Raises:
        ValueError: a momentum is None, a plain mean over all forwards: it cannot be chained.
        LostProcessError: another process of the run ends meanwhile.
    """
    modules = _tracking_modules(model) if world.size > 1 else []
    if not modules:
        yield
        return
    if any(module.momentum is None for module in modules):
        raise ValueError("batch normalisation with momentum=None cannot be trained on several processes; set a number")
    before, forwards_before = _running_statistics(modules), _num_forwards(modules)
    yield
    num_forwards = world.gather_rows((_num_forwards(modules) - forwards_before)[None])
    keeps = _keep_factors(modules, num_forwards, before.dtype)
    merged = before
    moves = world.gather_rows((_running_statistics(modules) - keeps[world.rank] * before)[None])
    for keep, moved in zip(keeps, moves, strict=True):
        merged = keep * merged + moved
    _set_running_statistics(modules, merged)
    of_others = num_forwards.sum(0) - num_forwards[world.rank]
    for module, number in zip(modules, of_others, strict=True):
        _counter(module).add_(number)


def _num_forwards(modules: list[_BatchNorm]) -> Tensor:
    """Return how many forwards each module has counted, int64 (modules,)."""
    return torch.stack([_counter(module) for module in modules])


def _counter(module: _BatchNorm) -> Tensor:
    assert module.num_batches_tracked is not None  # it tracks
    return module.num_batches_tracked


def _keep_factors(modules: list[_BatchNorm], num_forwards: Tensor, dtype: torch.dtype) -> Tensor:
    """Return for each process and running statistic how much of it the forwards (processes, modules) leave."""
    columns = []
    for module, forwards in zip(modules, num_forwards.double().split(1, dim=1), strict=True):
        assert module.momentum is not None
        length = sum(len(buffer) for buffer in _buffers([module]))
        columns.append(torch.pow(1 - module.momentum, forwards).to(dtype).expand(-1, length))
    return torch.cat(columns, dim=1)


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
