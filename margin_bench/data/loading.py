"""Make batches of a split. Order and augmentation are functions of (seed, epoch, index), never stored state.

So a run that resumes at any step, on any number of processes with any number of workers, sees the same rows.
"""

import atexit
import contextlib
import ctypes
import gc
import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from functools import cache, partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from margin_bench.data.images import read_image
from margin_bench.data.split import Split
from margin_bench.errors import DataError, RunError

# Mean and standard deviation of the RGB channels over ImageNet, on the scale 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# From an image (PIL, or uint8 (H, W, 3)) and a generator, or None for the test transform, to a (3, H, W) tensor.
# A transform with a method `read(path, box)` reads image files by it instead of by `data.images.read_image`.
Transform = Callable[[Any, np.random.Generator | None], Tensor]
Batch = tuple[Tensor, Tensor]


class Rows(NamedTuple):
    """Name samples to load together.

    Attributes:
        indices: int64 (n,). An index beyond the split goes round: it is the same sample again, augmented anew.
        seed_and_epoch: of the augmentation. None: no augmentation.
    """

    indices: NDArray[np.int64]
    seed_and_epoch: tuple[int, int] | None = None


def epoch_order(seed: int, epoch: int, num_samples: int) -> NDArray[np.int64]:
    """Return the order of the samples in one epoch: a permutation of 0 ... num_samples - 1, int64 (num_samples,)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,))).permutation(num_samples)


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Return the generator that augments one sample in one epoch."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, index)))


def num_steps(num_samples: int, batch_size: int) -> int:
    """Count the steps of an epoch: a last, partial batch is dropped; a split smaller than a batch fills one.

    Examples:
        >>> num_steps(1000, batch_size=128), num_steps(100, batch_size=128)
        (7, 1)
    """
    return max(1, num_samples // batch_size)


def rank_share(num_samples: int, rank: int, world_size: int) -> range:
    """Return the consecutive indices of one rank; the shares of all ranks hold each index once.

    Examples:
        >>> [rank_share(10, rank, world_size=3) for rank in range(3)]
        [range(0, 3), range(3, 6), range(6, 10)]
    """
    return range(num_samples * rank // world_size, num_samples * (rank + 1) // world_size)


class TrainSampler(Sampler[Rows]):
    """Give one rank's microbatches, from a given step to the end of an epoch.

    Each batch of the epoch is divided over the ranks, and the rows of a rank over its microbatches, in consecutive
    pieces.

    Args:
        num_samples: the size of the split.
        seed: of the run.
        batch_size: rows of one step, over all ranks.
        microbatch_size: rows of one forward. Divides `batch_size / world_size`.
        rank: of this process.
        world_size: the number of processes. Divides `batch_size`.
        fixed_order: take every epoch in the order of the first, augmented anew, as the paper's published code does.
    """

    def __init__(
        self,
        *,
        num_samples: int,
        seed: int,
        batch_size: int,
        microbatch_size: int,
        rank: int,
        world_size: int,
        fixed_order: bool = False,
    ) -> None:
        assert batch_size % (microbatch_size * world_size) == 0, (batch_size, microbatch_size, world_size)
        self.num_samples = num_samples
        self.seed = seed
        self.batch_size = batch_size
        self.microbatch_size = microbatch_size
        self.rank = rank
        self.world_size = world_size
        self.fixed_order = fixed_order
        self.start_at(epoch=0)

    def start_at(self, epoch: int, step: int = 0) -> None:
        """Make the next iteration give `epoch` from `step` on."""
        self.epoch, self.step = epoch, step

    def __len__(self) -> int:
        microbatches_per_step = self.batch_size // (self.microbatch_size * self.world_size)
        return (num_steps(self.num_samples, self.batch_size) - self.step) * microbatches_per_step

    def __iter__(self) -> Iterator[Rows]:
        seed_and_epoch = (self.seed, self.epoch)
        order = self._filled(epoch_order(self.seed, 0 if self.fixed_order else self.epoch, self.num_samples))
        share = rank_share(self.batch_size, self.rank, self.world_size)
        for step in range(self.step, num_steps(self.num_samples, self.batch_size)):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            for first in range(share.start, share.stop, self.microbatch_size):
                yield Rows(batch[first : first + self.microbatch_size], seed_and_epoch)

    def _filled(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Repeat the order as often as one batch needs."""
        rounds = -(-self.batch_size // self.num_samples)
        return np.concatenate([order + number * self.num_samples for number in range(rounds)])


class ShareSampler(Sampler[Rows]):
    """Give one rank's share of a split, in the split's order; the last batch may be smaller.

    Args:
        num_samples: the size of the split.
        batch_size: rows of one batch.
        rank: of this process.
        world_size: the number of processes.
    """

    def __init__(self, *, num_samples: int, batch_size: int, rank: int, world_size: int) -> None:
        self.share = rank_share(num_samples, rank, world_size)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.share) // self.batch_size)

    def __iter__(self) -> Iterator[Rows]:
        for first in range(0, len(self.share), self.batch_size):
            yield Rows(np.array(self.share[first : first + self.batch_size]))


class BatchDataset(Dataset[Batch | DataError]):
    """Load and transform samples of a split, indexed by `Rows`.

    It holds arrays only: Python objects, one per sample, would be copied page by page into every worker as their
    reference counts change. A `DataError` is returned, not raised, since a worker's exception reaches the main process
    as another one, with a traceback for its message.
    """

    def __init__(self, split: Split, transform: Transform) -> None:
        self.images: NDArray[Any]  # uint8 (N, H, W, 3), or the N paths as bytes
        if isinstance(split.images, np.ndarray):
            assert split.boxes is None, "boxes cut image files, not arrays"
            self.images = split.images
        else:
            self.images = np.array([os.fsencode(path) for path in split.images], np.bytes_)
        self.boxes = split.boxes
        self.targets = split.targets
        self.transform = transform
        self.read = getattr(transform, "read", read_image)

    def __getitem__(self, rows: Rows) -> Batch | DataError:
        try:
            images = [self._transformed(int(index), rows.seed_and_epoch) for index in rows.indices]
        except DataError as error:
            return error
        return default_collate(images), torch.from_numpy(self.targets[rows.indices % len(self.targets)])

    def files_at(self, rows: Rows) -> list[str]:
        """Return the names of the image files that these rows are read from; none for images in memory."""
        if self.images.dtype == np.uint8:
            return []
        return [os.fsdecode(self.images[index]) for index in rows.indices % len(self.targets)]

    def _transformed(self, index: int, seed_and_epoch: tuple[int, int] | None) -> Tensor:
        rng = sample_rng(*seed_and_epoch, index) if seed_and_epoch else None
        return self.transform(self._image(index % len(self.targets)), rng)

    def _image(self, index: int) -> Any:
        if self.images.dtype == np.uint8:
            return self.images[index]
        box = None if self.boxes is None else self.boxes[index]
        return self.read(Path(os.fsdecode(self.images[index])), box)


def first_image(split: Split, transform: Transform) -> Tensor:
    """Load the first image of a split, transformed as for the test: (1, 3, H, W).

    Raises:
        DataError: the image cannot be read.
    """
    batch = BatchDataset(split.rows(np.arange(1)), transform)[Rows(np.arange(1), None)]
    if isinstance(batch, DataError):
        raise batch
    images: Tensor = batch[0]
    return images


class _DataLoader(DataLoader[Any]):
    """Take as many workers as a user asks for: torch would warn of more than there are cores, at every iteration."""

    def check_worker_number_rationality(self) -> None:
        """Find nothing wrong."""


# The loader processes of this one. Others that a host program has are not ours to end.
_WORKERS: weakref.WeakSet[BaseProcess] = weakref.WeakSet()

PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent ends


class BatchLoader:
    """Give the batches of a sampler, in its order, at each iteration anew and with the same workers, until it raises.

    Raises:
        DataError: an image cannot be read.
        RunError: a worker died; or who waits for the next batch has given up, and so raised TimeoutError.
    """

    def __init__(
        self,
        dataset: BatchDataset,
        sampler: TrainSampler | ShareSampler,
        *,
        workers: int,
        pin_memory: bool,
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler
        self._workers: list[BaseProcess] = []
        self._loader = _DataLoader(
            dataset,
            sampler=sampler,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            worker_init_fn=partial(_start_worker, parent=os.getpid()),
            generator=torch.Generator(),  # torch draws a number per epoch that nobody needs: not from the global state
        )

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[Batch]:
        given = 0
        try:
            batches = self._started()
            while True:
                batch = next(batches)
                if isinstance(batch, DataError):
                    del batches, self._loader  # ends the workers; the garbage collector would take 5 s for each
                    raise batch
                given += 1
                yield batch[0], batch[1]
        except StopIteration:
            return
        except DataError:
            raise
        except TimeoutError as error:
            _kill_workers()  # they are deaf to all else
            raise self._silence(given, str(error)) from None
        except Exception as error:  # a worker's death shows as a broken connection, or as torch's RuntimeError
            raise _death_of_worker(self._workers) or error from None

    def _started(self) -> Iterator[Any]:
        """Start the workers, unless they are there, and what they read for this iteration."""
        handler = signal.getsignal(signal.SIGCHLD)
        others = set(multiprocessing.active_children())
        try:
            return iter(self._loader)
        finally:
            # torch's handler raises wherever this process is when a worker dies; we want the error in `next` alone.
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(signal.SIGCHLD, handler)
            self._workers += [child for child in multiprocessing.active_children() if child not in others]
            _WORKERS.update(self._workers)

    def _silence(self, given: int, waited: str) -> RunError:
        """Return the error of a batch, after so many others, that does not come."""
        rows = next(itertools.islice(self._sampler, given, None))
        files = self._dataset.files_at(rows)
        where = f" of {len(files)} images, from {files[0]!r} to {files[-1]!r}," if files else ""
        return RunError(
            f"no batch was read for {waited}: the next{where} did not come.\n"
            "Look whether the storage answers, or wait longer with loader_timeout=SECONDS; the run goes on from its "
            "last checkpoint."
        )


def train_loader(
    split: Split,
    transform: Transform,
    sampler: TrainSampler,
    *,
    workers: int,
    pin_memory: bool,
) -> BatchLoader:
    """Make a loader of augmented microbatches: images (m, 3, H, W), float32 or uint8, and targets, int8 (m, C).

    Args:
        split: the samples.
        transform: of their images.
        sampler: the order. Tell it the epoch by `start_at` before each iteration.
        workers: how many processes read images; 0: this one reads them.
        pin_memory: whether batches lie in memory that a GPU copies faster.
    """
    return BatchLoader(BatchDataset(split, transform), sampler, workers=workers, pin_memory=pin_memory)


def test_loader(
    split: Split,
    transform: Transform,
    *,
    batch_size: int,
    rank: int,
    world_size: int,
    workers: int,
    pin_memory: bool,
) -> BatchLoader:
    """Make a loader of one rank's share of a split, without augmentation, each image exactly once.

    Batches are those of `train_loader`, and so are the arguments; `batch_size` rows are loaded together.
    """
    sampler = ShareSampler(num_samples=len(split), batch_size=batch_size, rank=rank, world_size=world_size)
    return BatchLoader(BatchDataset(split, transform), sampler, workers=workers, pin_memory=pin_memory)


def normalise(images: Tensor) -> Tensor:
    """Normalise images by the statistics of ImageNet.

    Args:
        images: uint8 (..., 3, H, W) of 0 to 255; or float32, which is normalised already and returned as it is.

    Returns:
        float32, of the same shape.

    Raises:
        ValueError: another dtype.
    """
    if images.dtype == torch.float32:
        return images
    if images.dtype != torch.uint8:
        raise ValueError(f"Expected images of dtype uint8 or float32 from the transform, got {images.dtype}.")
    mean, std = _mean_and_std(images.device)
    return images.float().sub_(mean).div_(std)


@cache
def _mean_and_std(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the statistics of the RGB channels on the scale 0 to 255: float32 (3, 1, 1) each."""
    mean, std = (255 * torch.tensor(values, device=device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return mean, std


def _start_worker(worker: int, parent: int) -> None:
    """Do what a worker does first. It lives no longer than the process that started it, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it has ended in the meantime
    gc.freeze()  # to collect the main process's garbage would run its finalisers, and copy its memory
    # Ctrl-C and preemption reach the whole process group; the workers go on until the main process ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@atexit.register
def _kill_workers() -> None:
    """Kill our workers at exit: the standard library would send SIGTERM, which they ignore, and then wait for them."""
    for worker in list(_WORKERS):
        if worker.is_alive():
            worker.kill()


def _death_of_worker(workers: list[BaseProcess]) -> RunError | None:
    """Return the error of a worker that has died, if one has."""
    ended = multiprocessing.connection.wait([worker.sentinel for worker in workers], timeout=1)
    for worker in workers:
        if worker.sentinel in ended:
            worker.join()  # its exit code may come a moment later
    exit_codes = [worker.exitcode for worker in workers if worker.exitcode]
    if not exit_codes:
        return None
    _kill_workers()  # the others may wait for a lock that the dead one held
    code = exit_codes[0]
    cause = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return RunError(
        f"A data-loading worker {cause}.\n"
        "SIGKILL mostly means that the memory is full, SIGBUS that the shared memory (/dev/shm) is.\n"
        "Use fewer workers or smaller microbatches; the run goes on from its last checkpoint."
    )
