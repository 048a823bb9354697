"""What Hydra's launchers of submitit do not do: name the jobs that are lost, and say where there is no Slurm."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any
from unittest import mock

from hydra.core.utils import JobReturn, JobStatus

from margin_bench.errors import ConfigError
from margin_bench.launch.job import Outcome


def is_submitit(launcher: object) -> bool:
    return type(launcher).__module__.startswith("hydra_plugins.hydra_submitit_launcher.")


def check_slurm(launcher: object, name: str) -> None:
    """Looks for Slurm where a launcher needs it.

    Raises:
        ConfigError: it is not there.
    """
    if is_submitit(launcher) and type(launcher).__name__ == "SlurmLauncher" and not shutil.which("srun"):
        raise ConfigError(
            f"hydra/launcher={name} needs Slurm, which this machine has not: there is no srun\n"
            "Give the command on a machine of the cluster, or take hydra/launcher=submitit_local, or none."
        )


@contextlib.contextmanager
def lost_jobs_named() -> Iterator[None]:
    """Gives a job that ended without a result, killed by the system say, an outcome like all others.

    The launchers collect results one after another, and the first that is missing would cost them all others.
    """
    import submitit

    results_of = submitit.Job.results

    def results(job: submitit.Job[Any]) -> list[JobReturn]:
        try:
            return results_of(job)
        except submitit.core.utils.UncompletedJobError:
            lost = JobReturn(status=JobStatus.COMPLETED)
            lost.return_value = Outcome(1, f"its job ended without a result ({job.state}); see {job.paths.stderr}")
            return [lost]

    with mock.patch.object(submitit.Job, "results", results):
        yield
