"""Damage and disk faults, a few of each; `python -m tests.helpers.damage` and `tests.helpers.disk_faults` do more."""

import pytest

from tests.helpers import damage, disk_faults


@pytest.mark.parametrize("seed", [0, 1])
def test_no_damage_goes_unnoticed(tmp_path, seed):
    verdicts = damage.campaign(tmp_path, num=8, seed=seed)
    assert set(verdicts) <= {"same", "refused"}
    assert verdicts.total() == 8


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_survives_a_fault_of_the_disk(tmp_path, seed):
    verdicts = disk_faults.campaign(tmp_path, num=4, seed=seed)
    assert all(verdict.endswith("then the same") for verdict in verdicts), verdicts
    assert verdicts.total() == 4
