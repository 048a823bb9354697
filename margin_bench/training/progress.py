"""Show how far a training has come: a bar on a terminal, elsewhere a line after the first step, each minute,
and at the end of each epoch."""

import time
from collections.abc import Callable
from typing import SupportsFloat, TextIO

from tqdm import tqdm

from margin_bench.runtime.console import say, silence
from margin_bench.runtime.text import for_terminal

REDRAW_SECONDS = 0.2
LINE_SECONDS = 60  # without a terminal


class Progress:
    """Show the state of the training on one line: a bar on a terminal, elsewhere a line now and then.

    Args:
        num_epochs: of the whole run.
        num_steps: of an epoch.
        stream: where to show it, usually `sys.stderr`; None shows nothing.
        steps_done: the steps of the whole run that earlier starts have done.
        log: is given a line at the end of each epoch, and every other line that is shown.

    Examples:
        >>> import sys
        >>> progress = Progress(num_epochs=2, num_steps=1, stream=sys.stdout)
        >>> progress.step(loss=0.5, learning_rate=0.1, num_images=64)  # doctest: +ELLIPSIS
        epoch 1/2  loss 0.5000  learning rate 0.1  ... images/s  ... left
        >>> progress.close()
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
        """Count an optimiser step, and show it when that is due.

        Args:
            loss: is read only when it is shown, so that a tensor on a GPU is rarely waited for.
            learning_rate: of the step.
            num_images: in the batch of the step.
        """
        self._steps_done += 1
        self._num_images += num_images
        if self._stream is None:
            return
        epoch_ends = self._steps_done % self._num_steps == 0
        if not epoch_ends and not self._is_due():
            return
        line = self._line(loss, learning_rate)
        if epoch_ends:
            self._log(line)
        if self._bar is None:
            self._drawn = time.monotonic()
            say(line, self._stream)
        else:
            self._draw(self._bar, line)

    def _is_due(self) -> bool:
        """Tell whether something is to be shown in the middle of an epoch."""
        is_first = self._bar is None and self._steps_done == self._first_step + 1
        return is_first or time.monotonic() - self._drawn >= (REDRAW_SECONDS if self._bar else LINE_SECONDS)

    def say(self, text: str) -> None:
        """Show a line of its own, above the bar if there is one."""
        if self._stream is None:
            return
        self._log(text)
        if self._bar is not None:
            self._guarded(lambda: tqdm.write(for_terminal(text), file=self._stream))
        else:
            say(text, self._stream)

    def close(self) -> None:
        """End the bar, so that later lines stand below it."""
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
            silence(self._stream)
