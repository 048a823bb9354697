"""Which files are a user's own code."""

import pytest

from margin_bench.config.own_code import own_code_sha256
from margin_bench.runtime.files import sha256


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    for name in ("__init__", "nets", "losses"):
        (tmp_path / "mine" / f"{name}.py").write_text(f"raise RuntimeError('{name} is imported')\n", encoding="utf-8")
    (tmp_path / "mine" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "mine"


def test_each_target_has_the_checksum_of_its_file_and_ours_have_none(package):
    config = {
        "backbone": {"_target_": "mine.nets:Net"},
        "loss": {"_target_": "margin_bench.losses.CriterionLoss", "function": "mine.losses.gap"},
        "dataset": {"_target_": "margin_bench.data.digits.load"},
        "transforms": {"_target_": "mine.losses.Outer.Inner"},
        "epochs": 3,
    }
    losses, nets = (sha256(package / f"{name}.py") for name in ("losses", "nets"))
    assert own_code_sha256(config) == {
        "mine.losses.Outer.Inner": losses,
        "mine.losses.gap": losses,
        "mine.nets:Net": nets,
    }


@pytest.mark.parametrize("target", ["nowhere.to.be", "math.sqrt", "", "a..b", "."])
def test_what_has_no_file_has_no_checksum(target):
    assert own_code_sha256({"loss": {"_target_": target}}) == {}
