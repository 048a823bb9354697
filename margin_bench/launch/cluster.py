"""Do what Hydra's launchers of submitit do not: name the jobs that are lost, and say where there is no Slurm."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.plugins.launcher import Launcher

from margin_bench.config.hydra_internals import submit
from margin_bench.errors import ConfigError, ExitCode
from margin_bench.launch.job import Outcome

if TYPE_CHECKING:  # an extra, which takes time to import
    from submitit import Job


def is_submitit(launcher: Launcher) -> bool:
    """Tell whether a launcher is one of submitit's, here or on Slurm."""
    return type(launcher).__module__.startswith("hydra_plugins.hydra_submitit_launcher.")


def check_slurm(launcher: Launcher, name: str) -> None:
    """Look for Slurm where a launcher needs it.

    Raises:
        ConfigError: it is not there.
    """
    if is_submitit(launcher) and type(launcher).__name__ == "SlurmLauncher" and not shutil.which("srun"):
        raise ConfigError(
            f"hydra/launcher={name} needs Slurm, and there is no srun on this machine\n"
            "Give the command on a machine of the cluster, or take hydra/launcher=submitit_local, or none."
        )


def outcomes_of_cluster(launcher: Launcher, jobs: Sequence[Sequence[str]]) -> list[Outcome]:
    """Submit jobs, wait for all of them, and return how each ended, also one that the system has killed.

    The `launch` of such a launcher gives up at the first job without a result, and all other results with it.

    Args:
        launcher: one of submitit's.
        jobs: the overrides of each.
    """
    return [_outcome(job) for job in submit(launcher, jobs)]


def _outcome(job: "Job[Any]") -> Outcome:
    """Wait for a job and return its outcome: that of its first process, which is the one that prints and writes."""
    from submitit.core.utils import UncompletedJobError

    first = job.task(0)
    try:
        outcome: Outcome = first.result().return_value
    except UncompletedJobError:
        lost = f"its job ended without a result ({first.state}); see {first.paths.stderr}"
        return Outcome(ExitCode.FAILED, lost)
    return outcome
