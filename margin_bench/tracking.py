"""What a run shows and tells while it goes on: the history file, the line of progress, W&B and TensorBoard."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, SupportsFloat, TextIO

from tqdm import tqdm

from margin_bench.files import write_atomic

logger = logging.getLogger(__name__)

HISTORY = "metrics.jsonl"
LOG = "log.txt"
PROJECT = "margin-bench"
REDRAW_SECONDS = 0.2
CONNECT_SECONDS = 10.0
UPLOAD_SECONDS = 60.0


def write_history(run_dir: Path, history: list[dict[str, Any]]) -> None:
    """Write `metrics.jsonl` anew, one line of JSON per entry: a resumed or killed run leaves no line twice or torn.

    Raises:
        ValueError: a number is not finite.
        CheckpointError: it cannot be written.
    """
    lines = "".join(f"{json.dumps(entry, allow_nan=False)}\n" for entry in history)
    write_atomic(run_dir / HISTORY, lines.encode())


def write_log(run_dir: Path, text: str) -> None:
    """Add to the log of a run what one of its processes says now. That it cannot be written fails no run."""
    rank = os.environ.get("RANK")
    process = f"[process {rank}] " if rank else ""
    with suppress(OSError), (run_dir / LOG).open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {process}{text}\n")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on `stream`, or stdout. That nobody reads it any more, as behind `| head`, is no error."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        _silence(stream)


class Progress:
    """The state of the training on one line: a bar on a terminal, elsewhere a line at the end of each epoch.

    Args:
        num_epochs: of the whole run.
        num_steps: of an epoch.
        stream: where to show it, usually `sys.stderr`. None: nowhere.
        log: is given a line at the end of each epoch, and every other line that is shown.
        steps_done: steps of the whole run that were done before, by a run that is resumed.
    """

    def __init__(
        self,
        num_epochs: int,
        num_steps: int,
        stream: TextIO | None,
        steps_done: int = 0,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._num_epochs = num_epochs
        self._num_steps = num_steps
        self._stream = stream
        self._log = log
        self._first_step = self._steps_done = steps_done
        self._started = time.monotonic()
        self._bar: tqdm[None] | None = None
        if stream is not None and stream.isatty():
            self._bar = tqdm(
                total=num_epochs * num_steps,
                initial=steps_done,
                file=stream,
                bar_format="{desc}|{bar}| {n_fmt}/{total_fmt}",
                dynamic_ncols=True,
                mininterval=0,
            )
        self.start_epoch()

    def start_epoch(self) -> None:
        """Count images per second from here on, so that an evaluation does not slow them down."""
        self._epoch_started = self._drawn = time.monotonic()
        self._num_images = 0

    def step(self, *, loss: SupportsFloat, learning_rate: float, num_images: int) -> None:
        """Tell of an optimiser step. `loss` is read only when it is shown: a tensor on a GPU is rarely waited for."""
        self._steps_done += 1
        self._num_images += num_images
        if self._stream is None:
            return
        epoch_ends = self._steps_done % self._num_steps == 0
        if not epoch_ends and (self._bar is None or time.monotonic() - self._drawn < REDRAW_SECONDS):
            return
        line = self._line(loss, learning_rate)
        if epoch_ends:
            self._log(line)
        if self._bar is None:
            say(line, self._stream)
        else:
            self._draw(self._bar, line)

    def say(self, text: str) -> None:
        """Show a line of its own, above the bar if there is one."""
        if self._stream is None:
            return
        self._log(text)
        if self._bar is not None:
            self._guarded(lambda: tqdm.write(text, file=self._stream))
        else:
            say(text, self._stream)

    def close(self) -> None:
        if self._bar is not None:
            self._guarded(self._bar.close)

    def _line(self, loss: SupportsFloat, learning_rate: float) -> str:
        now = time.monotonic()
        epoch = (self._steps_done - 1) // self._num_steps + 1
        images_per_second = self._num_images / max(now - self._epoch_started, 1e-9)
        steps_left = self._num_epochs * self._num_steps - self._steps_done
        seconds_left = steps_left * (now - self._started) / (self._steps_done - self._first_step)
        return (
            f"epoch {epoch}/{self._num_epochs}  loss {float(loss):.4f}  learning rate {learning_rate:.2g}  "
            f"{images_per_second:.0f} images/s  {tqdm.format_interval(seconds_left)} left"
        )

    def _draw(self, bar: "tqdm[None]", line: str) -> None:
        self._drawn = time.monotonic()
        bar.set_description_str(f"{line}  ", refresh=False)
        self._guarded(lambda: bar.update(self._steps_done - bar.n))

    def _guarded(self, draw: Callable[[], object]) -> None:
        """Draw; a terminal that is gone is no error."""
        try:
            draw()
        except OSError:
            assert self._stream is not None
            _silence(self._stream)


class Backend(Protocol):
    """Where a tracker sends values. It may fail as it likes."""

    def log(self, values: dict[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Tracker:
    """Sends values to a backend until that fails: then it warns once and keeps quiet, and the run goes on."""

    def __init__(self, start: Callable[[], Backend] | None) -> None:
        self._backend: Backend | None = None
        if start is not None:
            with self._guarded():
                self._backend = start()

    def log(self, values: dict[str, float], step: int) -> None:
        """Send the values of a step. Steps only ever rise: W&B drops what comes late."""
        if self._backend is not None:
            with self._guarded():
                self._backend.log(values, step)

    def close(self) -> None:
        """Wait until all is sent, but no longer than `UPLOAD_SECONDS`."""
        if self._backend is not None:
            with self._guarded():
                self._backend.close()
        self._backend = None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever kind: none of them is the run's
            logger.warning("Tracking failed and is off from here on: %s", error)
            self._backend = None


class WandbBackend:
    """A W&B run whose id is the run's, so that a resumed run goes on there; offline where W&B cannot be reached."""

    def __init__(self, run_dir: Path, run_id: str, config: dict[str, Any]) -> None:
        import wandb

        # Quiet spares a greeting for which it would wait another 10 s. The time limit on logging in, unlike the others,
        # is read from here alone. Wrapped output streams are a risk, and the run's output is no business of a tracker.
        settings = wandb.Settings(
            init_timeout=CONNECT_SECONDS,
            login_timeout=CONNECT_SECONDS,
            finish_timeout=UPLOAD_SECONDS,
            quiet=True,
            console="off",
        )
        start = partial(
            wandb.init,
            project=PROJECT,
            id=run_id,
            name=run_id,
            resume="allow",
            dir=run_dir,
            config=config,
            settings=settings,
        )
        wandb.setup(settings)
        try:
            self._run = start()
        except Exception as error:  # no network, no key, no such server: W&B has no common class for them
            logger.warning("W&B does not start, so the run is tracked offline: %s", error)
            wandb.teardown()  # it keeps the failed run's id in use
            self._run = start(mode="offline")

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()


class TensorboardBackend:
    """Event files in the folder `tensorboard` of the run."""

    def __init__(self, run_dir: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(run_dir / "tensorboard")

    def log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def make_tracker(name: str, run_dir: Path, run_id: str, config: dict[str, Any]) -> Tracker:
    """A tracker by its name in the configuration.

    Args:
        name: none, wandb or tensorboard; the configuration is checked for its package before.
        run_dir: where it keeps its files.
        run_id: what W&B calls the run.
        config: what W&B shows beside the values.
    """
    backends: dict[str, Callable[[], Backend]] = {
        "wandb": partial(WandbBackend, run_dir, run_id, config),
        "tensorboard": partial(TensorboardBackend, run_dir),
    }
    return Tracker(backends[name] if name != "none" else None)


def _silence(stream: TextIO) -> None:
    """Send what is still to come on `stream` nowhere, also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
