"""Do a command with `-m`: every combination of the values that its overrides name."""

from collections.abc import Sequence

from margin_bench.config.compose import check, grid
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError, MarginBenchError
from margin_bench.launch.launcher import failures, launch, num_processes


def sweep(command: str, overrides: Sequence[str], sources: Sources) -> None:
    """Do every job of a grid that is not done yet.

    Args:
        command: train or evaluate.
        overrides: as the user gives them, already checked.
        sources: where the YAML files are.

    Raises:
        ConfigError: an override chooses a sweeper of Hydra's, or does not fit the processes of the launcher.
        MarginBenchError: jobs failed, each with its line; or as `launch`.
    """
    for override in overrides:
        if override.lstrip("+~").startswith("hydra") and "sweeper" in override.partition("=")[0]:
            raise ConfigError(f"{override}: margin-bench goes through the grid itself, leave it out")
    shared, cells = grid(overrides, sources)
    if processes := num_processes(shared, sources):
        check(command, overrides, sources, processes)
    outcomes = launch(command, cells, shared, sources)
    names = [" ".join(cell) or "the run" for cell in cells]
    if failed := failures(zip(names, outcomes, strict=True)):
        title = f"{len(failed)} of {len(cells)} runs failed" if len(cells) > 1 else "the run failed"
        raise MarginBenchError("\n".join([title, *failed]))
