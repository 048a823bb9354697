"""Sum the gradients of the processes of a run while the backward goes on, through torch's DistributedDataParallel."""

import contextlib
from collections.abc import Iterator

import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from margin_bench.runtime.world import World, lost_process, others_needed


class GradientExchange:
    """A model whose gradients end as their sum over the processes of a run.

    DistributedDataParallel is told that parameters may go unused. So none need be used, and its buckets stay as they
    are made: the order of summation, and with it the last bits of a step, does not depend on where a run was resumed.

    Args:
        model: the same in every process.

    Attributes:
        model: the model itself: what is saved, what predicts, what makes a forward without a graph.
        replica: what makes a forward with a graph: the model, wrapped where there are several processes.
    """

    def __init__(self, model: nn.Module, world: World) -> None:
        self.model = self.replica = model
        self._handed_over: list[bool] = []
        if world.size > 1:
            with others_needed():
                self.replica = DistributedDataParallel(model, find_unused_parameters=True)
            self.replica.broadcast_buffers = False  # torch 2.14 no longer wants it as an argument
            self.replica.register_comm_hook(self._handed_over, _sum)

    @contextlib.contextmanager
    def microbatch(self, is_last: bool) -> Iterator[None]:
        """Add up the gradients of a forward and a backward; those of a step's last one end as the sum over processes.

        Raises:
            LostProcessError: another process ends meanwhile.
        """
        if not isinstance(self.replica, DistributedDataParallel):
            yield
            return
        self._handed_over.clear()
        try:
            with contextlib.nullcontext() if is_last else self.replica.no_sync():
                yield
        except RuntimeError as error:
            if any(self._handed_over):  # all of them, so that nothing of the model's own backward is left to fail
                raise lost_process(error) from error
            raise


def _sum(handed_over: list[bool], bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[name-defined]
    """Start to sum a bucket of gradients; note whether it is the last. torch's own hook would take the mean."""
    with others_needed():
        future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    handed_over.append(bucket.is_last())
    return future.then(_only_tensor)


def _only_tensor(future: Future[list[Tensor]]) -> Tensor:
    """Return the one tensor that was reduced."""
    return future.value()[0]
