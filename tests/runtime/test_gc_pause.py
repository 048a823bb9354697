"""The garbage collector stands still in the block, and is afterwards as it was."""

import gc

import pytest

from margin_bench.runtime.gc_pause import without_collection


@pytest.fixture(params=["enabled", "disabled"])
def was_enabled(request):
    if request.param == "disabled":
        gc.disable()
    yield request.param == "enabled"
    gc.enable()


def test_the_collector_is_as_before_after_the_block(was_enabled):
    with without_collection():
        assert not gc.isenabled()
    assert gc.isenabled() == was_enabled


def test_the_collector_is_as_before_after_an_error(was_enabled):
    with pytest.raises(ZeroDivisionError), without_collection():
        raise ZeroDivisionError
    assert gc.isenabled() == was_enabled
