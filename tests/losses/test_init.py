"""The losses that the package offers are found in its modules, without a list of them."""

import sys

import pytest

from margin_bench import losses
from margin_bench.losses.asl import AsymmetricLoss
from margin_bench.losses.twoway import TwoWayLoss

MINE = """
from margin_bench.losses.bce import BCELoss
from margin_bench.losses.pointwise import PointwiseLoss

class {name}(PointwiseLoss):
    pass
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return where to write a module of the package, which is forgotten afterwards."""
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    yield tmp_path / "mine.py"
    sys.modules.pop("margin_bench.losses.mine", None)
    vars(losses).pop("mine", None)


def test_a_loss_is_offered_by_the_package_too():
    assert losses.TwoWayLoss is TwoWayLoss
    assert losses.AsymmetricLoss is AsymmetricLoss


def test_what_is_offered_is_listed():
    assert {"TwoWayLoss", "AsymmetricLoss", "BCELoss"} <= set(losses.__all__) <= set(dir(losses))


def test_a_module_that_is_added_is_found(mine):
    mine.write_text(MINE.format(name="MineLoss"), encoding="utf-8")
    found = losses._classes()
    assert set(found) - set(losses.__all__) == {"MineLoss"}
    assert found["BCELoss"] is losses.BCELoss


def test_a_loss_does_not_take_the_name_of_another(mine):
    mine.write_text(MINE.format(name="FocalLoss"), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"losses\.focal and margin_bench\.losses\.mine define a FocalLoss each"):
        losses._classes()


def test_an_unknown_name_is_told():
    with pytest.raises(ImportError, match=r"cannot import name 'TwoWayLos' from 'margin_bench\.losses'"):
        exec("from margin_bench.losses import TwoWayLos")
