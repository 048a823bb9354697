"""Sum the gradients of the processes of a run while the backward goes on, through torch's DistributedDataParallel."""

import contextlib
from collections.abc import Iterator

import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from margin_bench.errors import ConfigError
from margin_bench.runtime.world import World, lost_process, others_needed


class GradientExchange:
    """A model whose gradients end as their sum over the processes of a run.

    DistributedDataParallel is told that parameters may go unused. So none need be used, and its buckets stay as they
    are made: the order of summation, and with it the last bits of a step, does not depend on where a run was resumed.
    Buffers are not its matter: `batch_norm` chains the running statistics.

    Args:
        model: of each process; all take the weights and the buffers of the first.
        world: the processes.

    Raises:
        ConfigError: the model has other parameters or buffers than in the first process.
        LostProcessError: another process of the run ends meanwhile.

    Attributes:
        model: the model itself: what is saved, what predicts, what makes a forward without a graph.
        replica: what makes a forward with a graph: the model, wrapped where there are several processes.
        world: the processes.
    """

    def __init__(self, model: nn.Module, world: World) -> None:
        self.model = self.replica = model
        self.world = world
        self._handed_over: list[bool] = []
        if world.size > 1:
            _take_state_of_first(model, world)
            self.replica = DistributedDataParallel(model, find_unused_parameters=True, init_sync=False)
            self.replica.broadcast_buffers = False  # newer torch warns of it as an argument
            self.replica.register_comm_hook(self._handed_over, _sum)

    @contextlib.contextmanager
    def microbatch(self, is_last: bool) -> Iterator[None]:
        """Add the gradients of one forward and backward to those before; after a step's last one, sum over processes.

        Raises:
            LostProcessError: another process ends meanwhile. What the model or the loss raises goes through.
        """
        if not isinstance(self.replica, DistributedDataParallel):
            yield
            return
        self._handed_over.clear()
        try:
            with contextlib.nullcontext() if is_last else self.replica.no_sync():
                yield
        except RuntimeError as error:
            if True in self._handed_over:  # the last: nothing of the model's own backward is left that could fail
                raise lost_process(error) from error
            raise


def _take_state_of_first(model: nn.Module, world: World) -> None:
    """Overwrite the parameters and the buffers by those of the first process.

    DistributedDataParallel would do so itself, but a failure of it would not tell a lost process from lack of memory.
    """
    tensors = [*model.named_parameters(), *model.named_buffers()]
    shapes = [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in tensors]
    if world.from_first(shapes) != shapes:
        raise ConfigError(
            f"{type(model).__name__} has other parameters or buffers in process {world.rank} than in the first\n"
            "Make the same layers in every process."
        )
    for _, tensor in tensors:
        received = tensor.detach().contiguous()
        with others_needed():
            dist.broadcast(received, src=0)
        tensor.detach().copy_(received)


def _sum(handed_over: list[bool], bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[name-defined]
    """Begin to sum a bucket of gradients over the processes, and note whether it is the last of the backward.

    Without a hook DistributedDataParallel takes the mean. It wants the bucket annotated by this very class, which torch
    defines where a type checker does not see it.
    """
    with others_needed():
        future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    handed_over.append(bucket.is_last())
    return future.then(_only_tensor)


def _only_tensor(future: Future[list[Tensor]]) -> Tensor:
    """Return the one tensor that was reduced."""
    return future.value()[0]
