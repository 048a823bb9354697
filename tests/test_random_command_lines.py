"""Random command lines: no traceback, no exit code out of the list, no hang."""

import pytest

from tests.helpers.random_command_lines import run


@pytest.mark.parametrize("seed", [2, 3])
def test_random_lines_end_as_they_should(tmp_path, monkeypatch, seed):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path))
    codes, wrong = run(25, seed)
    assert wrong == []
    assert codes.total() == 25
