"""What the machine says of its cores and its processor."""

import os

import pytest

from margin_bench.runtime import hardware
from margin_bench.runtime.hardware import cpu_entry, usable_cores

CPUINFO = "processor\t: 0\nmodel name\t: X 9000: turbo\nflags\t\t: fpu sse\n\nprocessor\t: 1\nmodel name\t: Y\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(hardware, "CPUINFO", path)
    return path


@pytest.mark.parametrize(
    ("name", "entry"),
    [("model name", "X 9000: turbo"), ("flags", "fpu sse"), ("model", ""), ("cache size", "")],
)
def test_an_entry_is_that_of_the_first_processor(cpuinfo, name, entry):
    cpuinfo.write_text(CPUINFO, encoding="utf-8")
    assert cpu_entry(name) == entry


def test_without_linuxs_file_there_is_no_entry(cpuinfo):
    assert cpu_entry("model name") == ""


def test_only_the_cores_that_the_process_may_use_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 5, 6}, raising=False)
    assert usable_cores() == 3


@pytest.mark.parametrize(("count", "cores"), [(8, 8), (None, 1)])
def test_where_the_system_does_not_tell_all_cores_count(monkeypatch, count, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores() == cores
