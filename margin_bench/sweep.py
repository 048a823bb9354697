"""A command with `-m`: every combination of the values that its overrides name."""

from collections.abc import Sequence

from margin_bench.compose import grid
from margin_bench.errors import ConfigError, MarginBenchError
from margin_bench.launch import failures, launch


def sweep(command: str, overrides: Sequence[str], config_dir: str | None) -> None:
    """Does every job of a grid that is not done yet. The overrides are checked.

    Raises:
        ConfigError: they choose a sweeper of Hydra's.
        MarginBenchError: jobs failed, each of which is named; or as `launch`.
    """
    for override in overrides:
        if override.lstrip("+~").startswith("hydra") and "sweeper" in override.partition("=")[0]:
            raise ConfigError(f"{override}: margin-bench goes through the grid itself, leave it out")
    shared, cells = grid(overrides, config_dir)
    outcomes = launch(command, cells, shared, config_dir)
    if failed := failures(zip(map(" ".join, cells), outcomes, strict=True)):
        raise MarginBenchError("\n".join([f"{len(failed)} of {len(cells)} runs failed", *failed]))
