"""Send what a run tells on its way to W&B or TensorBoard, where it is asked for."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

logger = logging.getLogger(__name__)

PROJECT = "margin-bench"
CONNECT_SECONDS = 10.0
UPLOAD_SECONDS = 60.0


class Backend(Protocol):
    """Take the values that a tracker sends. Any failure is the tracker's to handle."""

    def log(self, values: dict[str, float], step: int) -> None:
        """Take the values of a step."""

    def close(self) -> None:
        """End, after all values are sent."""


class Tracker:
    """Send values to a backend until that fails; then warn once and be silent, and the run goes on.

    Args:
        start: makes the backend; None sends nothing.
    """

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
        except Exception as error:  # whatever it is, the run goes on
            logger.warning("Tracking failed and is off from here on: %s", error)
            self._backend = None


class WandbBackend:
    """Write to the W&B run of the same id, so that a resumed run goes on there; offline where W&B cannot be reached."""

    def __init__(self, run_dir: Path, run_id: str, config: dict[str, Any]) -> None:
        import wandb

        # `quiet` spares a greeting, for which W&B would wait another 10 s. `login_timeout`, unlike the others, is read
        # from here alone. `console`: W&B is not to wrap the output streams of the run.
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
        except Exception as error:  # no network, no key, no such server: these share no class of their own
            logger.warning("W&B does not start, so the run is tracked offline: %s", error)
            wandb.teardown()  # it keeps the failed run's id in use
            self._run = start(mode="offline")

    def log(self, values: dict[str, float], step: int) -> None:
        """Send the values of a step."""
        self._run.log(values, step=step)

    def close(self) -> None:
        """Wait until all is sent."""
        self._run.finish()


class TensorboardBackend:
    """Write event files into the folder `tensorboard` of the run."""

    def __init__(self, run_dir: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(run_dir / "tensorboard")

    def log(self, values: dict[str, float], step: int) -> None:
        """Write the values of a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def make_tracker(name: str, run_dir: Path, run_id: str, config: dict[str, Any]) -> Tracker:
    """Return the tracker that the configuration names.

    Args:
        name: `none`, `wandb` or `tensorboard`; `config.checks` has looked whether its package is installed.
        run_dir: where it keeps its files.
        run_id: what W&B calls the run.
        config: what W&B shows beside the values.
    """
    backends: dict[str, Callable[[], Backend]] = {
        "wandb": partial(WandbBackend, run_dir, run_id, config),
        "tensorboard": partial(TensorboardBackend, run_dir),
    }
    return Tracker(backends[name] if name != "none" else None)
