"""Jobs: the processes that submitit starts for one are those of one run."""

import os

from margin_bench.launch import job


def test_the_tasks_of_a_job_become_one_process_group(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ |= {
        "SUBMITIT_EXECUTOR": "local",
        "SUBMITIT_LOCAL_JOB_ID": "7",
        "SUBMITIT_LOCAL_NTASKS": "4",
        "SUBMITIT_LOCAL_GLOBALID": "3",
        "SUBMITIT_LOCAL_LOCALID": "3",
        "MASTER_PORT": "29500",
    }
    job._join_cluster_job()
    expected = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "3", "MASTER_PORT": "29500"}
    assert {name: os.environ[name] for name in expected} == expected


def test_a_job_of_one_task_works_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ |= {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "7", "SUBMITIT_LOCAL_NTASKS": "1"}
    job._join_cluster_job()
    assert "WORLD_SIZE" not in os.environ
