"""Objects made of the configuration: ours, the user's, and none that a file names which was only read."""

import pytest

from margin_bench.config.build import arguments_of, build, refuse_foreign_targets
from margin_bench.errors import ConfigError
from margin_bench.losses.twoway import TwoWayLoss


def test_a_target_is_called_with_the_groups_entries_but_its_name():
    loss = build({"name": "twoway", "_target_": "margin_bench.losses.TwoWayLoss", "way": "class"}, logit_bias=1.0)
    assert isinstance(loss, TwoWayLoss)
    assert (loss.way, loss.logit_bias) == ("class", 1.0)


def test_what_a_group_says_about_itself_is_no_argument():
    group = {"name": "a", "_target_": "builtins.dict", "revision": 2, "about": {"use": "b"}, "gamma": 1}
    assert arguments_of(group) == {"gamma": 1}


def test_a_users_own_package_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_package.py").write_text(
        "class MyLoss:\n    def __init__(self, gamma):\n        self.gamma = gamma\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert build({"_target_": "my_package.MyLoss", "gamma": 2}).gamma == 2


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"_target_": "no_such_package.Loss"}, "_target_=no_such_package.Loss cannot be imported"),
        ({"_target_": "margin_bench.losses.NoLoss"}, "cannot be imported"),
        ({"_target_": "margin_bench.losses.TwoWayLoss", "gamma": 1}, "unexpected keyword argument 'gamma'"),
        ({"_target_": "margin_bench.losses.TwoWayLoss", "way": "rows"}, "rows"),
        ({"_target_": "math.pi"}, "cannot be called with named arguments"),
        ({"_target_": "builtins.int"}, "cannot be called with named arguments"),
    ],
)
def test_what_cannot_be_built_is_a_mistake_of_the_configuration(group, said):
    with pytest.raises(ConfigError, match=said):
        build(group)


def test_a_saved_configuration_builds_only_what_is_ours():
    for target in ("margin_bench.data.coco.load", "margin_bench.data.fast.Fast"):
        refuse_foreign_targets({"dataset": {"_target_": target}, "epochs": 1}, "record")


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "margin_bench.data.image_files.os.system",
        "margin_bench.runs.train.torch.load",
        "margin_bench.data.download.download",
        "margin_bench.losses.criterion._imported",
        "margin_bench.cli.main",
    ],
)
def test_a_saved_configuration_reaches_nothing_else_not_even_through_our_modules(target):
    with pytest.raises(ConfigError, match=rf"{target}, which is no code of margin-bench that a saved file may name"):
        refuse_foreign_targets({"a": {"b": {"_target_": target}}}, "record")
