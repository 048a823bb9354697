"""Say where configurations come from: the package's own YAML files, and a folder of the user's. Imports no torch."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from margin_bench.config.yaml_files import check_yaml_files, read_yaml
from margin_bench.errors import ConfigError

if TYPE_CHECKING:  # to find files takes no Hydra, which is slow to import
    from omegaconf import DictConfig

PACKAGE = Path(__file__).parents[1]


def configs_dir() -> Path:
    """Return the folder of our YAML files: inside an installed package, beside it in a checkout."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def register_resolvers() -> None:
    """Teach OmegaConf `${package_file:PATH}`, a file that ships with the package."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("package_file", lambda path: str(PACKAGE / path), replace=True)


@dataclass(frozen=True)
class Sources:
    """The folders of YAML files that a configuration is composed of.

    Attributes:
        own: the user's folder, which holds loss/, dataset/, table/ and so on; None: there are only ours.
    """

    own: Path | None = None

    @classmethod
    def of(cls, config_dir: str | None) -> "Sources":
        """Take the folder that a user names as `--config-dir`.

        Raises:
            ConfigError: it is no folder, or a file in it has the name of one of ours, which Hydra would take.
        """
        if not config_dir:
            return cls()
        own, ours = Path(config_dir), configs_dir()
        if not own.is_dir():
            raise ConfigError(
                f"--config-dir {config_dir} is no folder; give the one that holds loss/, dataset/, table/, ..."
            )
        check_yaml_files(own)
        names = [path.relative_to(ours) for path in sorted(ours.rglob("*.yaml"))]
        hidden = [str(name) for name in names if (own / name).is_file()]
        if hidden and own.resolve() != ours.resolve():
            raise ConfigError(
                f"--config-dir {config_dir}: margin-bench has {', '.join(hidden)} itself; give yours another name"
            )
        return cls(own)

    @property
    def dirs(self) -> list[Path]:
        """All folders, the user's first."""
        return [*([self.own] if self.own else []), configs_dir()]

    @property
    def search_words(self) -> list[str]:
        """The override that lets Hydra find the user's folder; none without one."""
        return [f"hydra.searchpath=[file://{self.own.resolve()}]"] if self.own else []

    @property
    def option_words(self) -> list[str]:
        """The words of a command line that name the user's folder; none without one."""
        return ["--config-dir", str(self.own)] if self.own else []

    def options(self, group: str) -> dict[str, Path]:
        """Return the YAML file of each option of a group, by the name that `group=NAME` takes, sorted."""
        found = {path.stem: path for folder in reversed(self.dirs) for path in (folder / group).glob("*.yaml")}
        return dict(sorted(found.items()))

    def find(self, group: str, option: str) -> Path | None:
        """Return the YAML file of a group's option, in the first folder that has it."""
        paths = (folder / group / f"{option}.yaml" for folder in self.dirs)
        return next((path for path in paths if path.is_file()), None)

    def section(self, group: str, option: str) -> dict[str, Any]:
        """Return what the file of a group's option says about the group, interpolations as they stand there.

        A file `# @package _global_` has a section of that name, any other is the section itself, but for its
        `defaults`. There must be a file.

        Raises:
            ConfigError: it cannot be read.
        """
        path = self.find(group, option)
        assert path is not None
        content = read_yaml(path)
        is_global = re.search(r"@package +_global_", path.read_text(encoding="utf-8"))
        section = content.get(group) if is_global else content
        return {key: value for key, value in section.items() if key != "defaults"} if isinstance(section, dict) else {}

    def has_group(self, key: str) -> bool:
        """Tell whether a key is a group of files, one of which `key=NAME` chooses."""
        return any((folder / key).is_dir() for folder in self.dirs)

    @contextlib.contextmanager
    def opened(self, job_name: str = "app") -> Iterator[None]:
        """Let Hydra find our files for the time of the block; the user's folder it is told by `search_words`."""
        from hydra import initialize_config_dir

        register_resolvers()
        with initialize_config_dir(str(configs_dir()), version_base="1.3", job_name=job_name):
            yield

    def compose(self, command: str, overrides: Sequence[str], **options: Any) -> "DictConfig":
        """Compose the configuration of a command as Hydra does, within `opened`; its errors are Hydra's own."""
        from hydra import compose

        return compose(command, [*self.search_words, *overrides], **options)


@cache
def our_files(group: str) -> tuple[dict[str, Any], ...]:
    """Return what each of our files says about a group, interpolations as they stand there."""
    ours = Sources()
    return tuple(ours.section(group, option) for option in ours.options(group))


def default_runs_dir() -> Path:
    """Return the folder of runs where a user names no other."""
    return Path(read_yaml(configs_dir() / "train.yaml")["runs_dir"])
