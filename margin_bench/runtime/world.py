"""Bring the processes of a run together: who they are, what they agree on, how a local group of them is started."""

import contextlib
import importlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import forkserver, resource_tracker
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from margin_bench.errors import ConfigError, ExitCode, LostProcessError, RunError, StoppedError
from margin_bench.runtime.console import exit_code_of
from margin_bench.runtime.hardware import usable_cores
from margin_bench.runtime.signals import EXIT_CODES, ended_by_signals, held_back, let_through

TIMEOUT_SECONDS = 300.0  # for an answer of the other processes
SECONDS_TO_BE_STOPPED = 3  # the launcher looks for processes that have ended ten times a second


@dataclass(frozen=True)
class World:
    """The processes that work on one run, as seen by one of them.

    Every method that takes something of several processes raises LostProcessError if one of them does not answer.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Tell whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Write the sum over all processes into `tensor`, and return it."""
        if self.size > 1:
            with others_needed():
                dist.all_reduce(tensor)
        return tensor

    def max(self, value: int) -> int:
        """Return the largest of the values that the processes bring."""
        if self.size == 1:
            return value
        largest = torch.tensor(value, device=self.device)
        with others_needed():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest)

    def gather_rows(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes in the order of ranks, without a gradient; every process brings as many."""
        if self.size == 1:
            return rows
        rows = rows.contiguous()
        gathered = [torch.empty_like(rows) for _ in range(self.size)]
        with others_needed():
            dist.all_gather(gathered, rows)
        return torch.cat(gathered)

    def from_first(self, value: Any) -> Any:
        """Return what the first process brought as `value`: any picklable object."""
        if self.size == 1:
            return value
        box = [value]
        with others_needed():
            dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def wait_for_all(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            with others_needed():
                dist.barrier(device_ids=[self.device.index] if self.device.type == "cuda" else None)


@contextlib.contextmanager
def others_needed() -> Iterator[None]:
    """Raise LostProcessError for whatever goes wrong among the processes; gloo raises a bare RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise lost_process(error) from error


def lost_process(error: RuntimeError) -> LostProcessError:
    """Return the error of ours for one that torch raises when another process is gone."""
    return LostProcessError(f"the other processes of the run do not answer: {str(error).splitlines()[0]}")


def process_group_size() -> int:
    """Count the processes that torchrun, or `run_processes`, has started with this one; 1 without either."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def local_device() -> torch.device:
    """Return the device of this process: a GPU of its own where there are any; a job manager may show it no other."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


@contextlib.contextmanager
def join_world(timeout: float = TIMEOUT_SECONDS) -> Iterator[World]:
    """Join the process group that the environment names, as torchrun sets it, or work alone.

    Args:
        timeout: seconds for which one process waits for the others.
    """
    device = local_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
    if process_group_size() == 1:
        yield World(device=device)
        return
    # The defaults of its functions are the group there is at its import. Imported later, by an optimiser, it would keep
    # the threads of this group beyond `destroy_process_group`; one that works while the interpreter ends aborts it.
    importlib.import_module("torch.distributed.nn")

    if device.type == "cuda":
        dist.init_process_group("nccl", timeout=timedelta(seconds=timeout), device_id=device)
    else:
        dist.init_process_group("gloo", timeout=timedelta(seconds=timeout))
    try:
        yield World(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def run_processes(function: Callable[..., None], *args: Any, num_processes: int) -> None:
    """Run `function(*args)` in this process, or in `num_processes` local ones unless torchrun has started them.

    Raises:
        ConfigError: more processes than GPUs.
        StoppedError: with the exit code of the process that failed first, or of the signal that stopped them all.
    """
    if num_processes == 1 or process_group_size() > 1:
        function(*args)
        return
    if torch.cuda.is_available() and num_processes > torch.cuda.device_count():
        raise ConfigError(f"devices={num_processes} is more than the {torch.cuda.device_count()} GPUs of this machine")
    _launch(_process, function, args, num_processes=num_processes)


def _process(function: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Do what a local process does. It was started with signals held back: an import could not tell of them."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        exit_code = exit_code_of(_interruptible, function, *args)
    except Exception:
        traceback.print_exc()  # which the launcher would keep to itself
        exit_code = ExitCode.FAILED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher may pass one on while this process ends
    if exit_code:
        sys.exit(exit_code)


def _interruptible(function: Callable[..., None], *args: Any) -> None:
    """Call `function(*args)` with signals let through; end late where another process was lost."""
    with ended_by_signals():
        let_through()
        try:
            function(*args)
        except LostProcessError:
            # The launcher stops this process as soon as it finds the other, which is the one to name.
            time.sleep(SECONDS_TO_BE_STOPPED)
            raise


def _stop_with_parent() -> None:
    """Interrupt this process when the one that has started it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGINT)


def _launch(function: Callable[..., None], *args: Any, num_processes: int) -> None:
    """Run `function(*args)` in local processes, through torch's elastic launcher."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # in this process, which only waits; the others report for themselves
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else each warns that no parameter is unused; see `exchange`
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // num_processes)))
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id="margin-bench",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="forkserver",
        local_addr="127.0.0.1",  # the name of this host may lead nowhere
    )
    resource_tracker.ensure_running()  # which lets signals through when it starts, so before they are held back
    with held_back():
        forkserver.ensure_running()
    try:
        elastic_launch(settings, function)(*args)
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        is_ours = failure.exitcode in set(ExitCode)  # any other is that of a crash
        code = failure.exitcode if is_ours else RunError.exit_code
        how = f"with exit code {failure.exitcode}" if failure.exitcode >= 0 else f"by {failure.signal_name()}"
        ended = StoppedError(f"process {rank} of the run ended first, {how}", code)
        ended.rank = rank
        raise ended from None
    except SignalException as stopped:
        code = EXIT_CODES.get(stopped.sigval, ExitCode.PREEMPTED)
        raise StoppedError(f"stopped by {stopped.sigval.name}", code) from None
    finally:
        logging.disable(logging.NOTSET)
