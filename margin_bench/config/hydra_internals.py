"""Hold all that we take from the insides of Hydra and OmegaConf, which a new version of theirs may change.

Hydra is imported only where it is called: to read a YAML file takes none of it. Imports no torch.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from omegaconf._utils import get_yaml_loader

from margin_bench.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.plugins.launcher import Launcher
    from hydra.types import TaskFunction
    from omegaconf import DictConfig
    from submitit import AutoExecutor, Job


def yaml_resolvers() -> Any:
    """Return how OmegaConf tells numbers from words in YAML, where `1e-4` is a number."""
    return get_yaml_loader().yaml_implicit_resolvers


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of Hydra's own options, as `--cfg` and `-m`; it raises a mistake instead of ending the process.

    Raises:
        ConfigError: by the parser, for an option that it does not understand.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    vars(parser)["error"] = _refuse
    return parser


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"{message}\nmargin-bench train --hydra-help lists the options")


def parse_override(word: str) -> "Override":
    """Read one override in Hydra's grammar; what is wrong with it is Hydra's own error."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (parsed,) = OverridesParser.create().parse_overrides([word])
    return parsed


def group_options(group: str, search_words: Sequence[str]) -> list[str]:
    """Return the names that `group=NAME` takes, in all folders of the opened configuration."""
    from hydra.core.global_hydra import GlobalHydra

    return list(GlobalHydra.instance().config_loader().get_group_options(group, overrides=list(search_words)))


def apply_override(override: "Override", config: "DictConfig") -> None:
    """Put an override into a composed configuration, as Hydra itself does after composing."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    ConfigLoaderImpl._apply_overrides_to_config([override], config)


def instantiate_launcher(command: str, words: Sequence[str], task: "TaskFunction") -> tuple["Launcher", str]:
    """Make the launcher that `hydra/launcher=NAME` chooses, and return it with its name."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext, RunMode

    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    config = hydra.compose_config(command, list(words), RunMode.MULTIRUN, from_shell=False)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    return launcher, str(config.hydra.runtime.choices["hydra/launcher"])


def submit(launcher: Any, jobs: Sequence[Sequence[str]]) -> list["Job[Any]"]:
    """Submit jobs as the `launch` of a launcher of submitit does, but wait for none of them.

    Args:
        launcher: one of submitit's.
        jobs: the overrides of each.

    Returns:
        The jobs; the result of each is Hydra's `JobReturn`.
    """
    from hydra.core.singleton import Singleton

    key, state = "hydra.sweep.dir", Singleton.get_state()
    calls = [(list(words), key, number, f"job_id_for_{number}", state) for number, words in enumerate(jobs)]
    return _executor(launcher).map_array(launcher, *zip(*calls, strict=True))


def _executor(launcher: Any) -> "AutoExecutor":
    """Make the executor of a launcher of submitit, with the options of its configuration."""
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from submitit import AutoExecutor

    cluster, options = launcher._EXECUTOR, dict(launcher.params)
    at_start = {f"{cluster}_{key}": options.pop(key) for key in ["max_num_timeout"] if key in options}
    executor = AutoExecutor(options.pop("submitit_folder"), cluster, **at_start)
    of_all = {field.name for field in dataclasses.fields(BaseQueueConf)}
    executor.update_parameters(**{key if key in of_all else f"{cluster}_{key}": options[key] for key in options})
    return executor
