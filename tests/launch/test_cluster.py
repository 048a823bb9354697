"""Jobs of a cluster: one that is lost has an outcome as all others, and Slurm must be there."""

from types import SimpleNamespace

import pytest
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import LocalLauncher, SlurmLauncher
from submitit.core.utils import UncompletedJobError

from margin_bench.errors import ConfigError
from margin_bench.launch import cluster
from margin_bench.launch.job import Outcome


class FinishedJob:
    """A job of two processes that have ended, each with its outcome; None: without a result."""

    state, paths = "KILLED", SimpleNamespace(stderr="job.err")

    def __init__(self, *outcomes):
        self.outcomes = outcomes

    def task(self, number):
        return FinishedJob(self.outcomes[number])

    def result(self):
        (outcome,) = self.outcomes
        if outcome is None:
            raise UncompletedJobError("has not produced any output")
        return SimpleNamespace(return_value=outcome)


def test_a_lost_job_has_an_outcome_and_costs_no_other_job_its_own(monkeypatch):
    done, failed = Outcome(), Outcome(5, "the loss is nan")
    jobs = [FinishedJob(done, done), FinishedJob(None, done), FinishedJob(failed, None)]
    monkeypatch.setattr(cluster, "submit", lambda launcher, overrides: jobs)
    lost = Outcome(1, "its job ended without a result (KILLED); see job.err")
    assert cluster.outcomes_of_cluster(LocalLauncher(), [["seed=0"], ["seed=1"], ["seed=2"]]) == [done, lost, failed]


def test_slurm_must_be_there_for_its_launcher_alone(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None)
    cluster.check_slurm(LocalLauncher(), "submitit_local")
    with pytest.raises(ConfigError, match="hydra/launcher=mine needs Slurm, and there is no srun on this machine"):
        cluster.check_slurm(SlurmLauncher(), "mine")
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    cluster.check_slurm(SlurmLauncher(), "mine")
