"""Any list of runs through Hydra's launcher: one after another in this process, or wherever the launcher puts them."""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from margin_bench.compose import COMPOSITION_ERRORS
from margin_bench.config import configs_dir, register_resolvers, search_path
from margin_bench.errors import ConfigError, MarginBenchError
from margin_bench.signals import EXIT_CODES


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit code that it would have alone, and what it would say."""

    exit_code: int = 0
    message: str = ""


class _Stopped(BaseException):
    """Ends all runs, since one was stopped by a signal."""


def launch(
    runs: Sequence[Sequence[str]], runs_dir: Path, hydra_words: Sequence[str], config_dir: str | None
) -> list[Outcome]:
    """Trains runs, each given by its overrides, as `margin-bench train` does.

    Args:
        hydra_words: choose and set up the launcher, as `hydra/launcher=...`.
        config_dir: the user's folder of YAML files.

    Raises:
        ConfigError: there is no such launcher.
        MarginBenchError: a signal stopped a run, whose state is saved; the others after it did not begin.
    """
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"), contextlib.redirect_stdout(sys.stderr):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        shared = [*search_path(config_dir), *hydra_words, f"runs_dir={runs_dir}"]
        try:
            config = hydra.compose_config("train", shared, RunMode.MULTIRUN, from_shell=False)
            context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=context, task_function=_train, config=config
            )
        except COMPOSITION_ERRORS as error:
            raise ConfigError(f"{' '.join(hydra_words)}: {str(error).splitlines()[0]}") from error
        try:
            returned = launcher.launch([[*words, f"runs_dir={runs_dir}"] for words in runs], initial_job_idx=0)
        except _Stopped as stopped:
            raise stopped.args[0] from None
    return [each.return_value for each in returned]


def _train(config: Any) -> Outcome:
    """One run; what went wrong is told, so that the others go on."""
    from margin_bench.cli import TASKS

    try:
        TASKS["train"](config)
    except MarginBenchError as error:
        if error.exit_code in EXIT_CODES.values():
            raise _Stopped(error) from error
        return Outcome(error.exit_code, str(error))
    except Exception as error:
        traceback.print_exc()
        return Outcome(1, f"{type(error).__name__}: {error}")
    return Outcome()
