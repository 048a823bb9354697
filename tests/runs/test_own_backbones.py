"""Backbones from a user's own package, through the command line."""

import json
import os
import signal
import sys

import pytest
import safetensors.torch
import timm
import torch

from margin_bench.cli import main
from margin_bench.records.record import write_record
from tests.helpers.tiny_run import read_record, read_result, start, train

PACKAGE = '''
import timm
from timm.models import register_model
from torch import nn


class Net(nn.Module):
    """A head that is the last linear layer."""

    def __init__(self, num_classes, *, width):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 8, stride=8), nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))


class Named(Net):
    """A head that has to be named, since a linear layer comes after it."""

    def __init__(self, num_classes):
        super().__init__(num_classes, width=8)
        self.bottleneck = nn.Linear(8, 8)

    def get_classifier(self):
        return self.head

    def forward(self, images):
        return self.head(self.bottleneck(self.body(images).mean((2, 3))))


class Unnamed(Named):
    get_classifier = property()


class Convolutional(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Conv2d(3, num_classes, 1)

    def forward(self, images):
        return self.head(images).mean((2, 3))


class NamedConvolutional(Convolutional):
    def get_classifier(self):
        return self.head


class OnePerImage(Net):
    def forward(self, images):
        return super().forward(images).mean(1)


class Lazy(Net):
    def __init__(self, num_classes):
        super().__init__(num_classes, width=8)
        self.head = nn.LazyLinear(num_classes)


class FixedClasses(nn.Module):
    def __init__(self):
        super().__init__()


class Mistaken(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(num_classes)


def no_model(num_classes):
    return num_classes


@register_model
def registered(pretrained=False, **options):
    """As timm's own models are made; its weights are those of one."""
    assert not pretrained
    return timm.create_model("test_resnet", **options)
'''

NET = ["backbone=own", "backbone.name=net", "backbone._target_=my_nets.Net", "+backbone.options.width=8"]
SHORT = ["epochs=1", "dataset.num_train=64"]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of `my_nets`, which is imported once: timm wants no name registered twice."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "my_nets.py").write_text(PACKAGE, encoding="utf-8")
    return folder


@pytest.fixture
def runs_dir(package, tmp_path, monkeypatch):
    """Where runs go; `my_nets` can be imported, here and in other processes."""
    monkeypatch.syspath_prepend(package)
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return tmp_path / "runs"


@pytest.fixture
def config_dir(tmp_path):
    """A folder of YAML files with `backbone=mine`, as short as it can be."""
    folder = tmp_path / "configs" / "backbone"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("name: mine\n_target_: my_nets.Net\noptions: {width: 8}\n", encoding="utf-8")
    return str(folder.parent)


def test_a_class_of_the_users_own_is_trained_and_scored_again_only_if_they_trust_it(runs_dir, capsys):
    assert train(runs_dir, *SHORT, *NET, "precision=auto") == 0
    record = read_record(runs_dir)
    assert record["status"] == "finished"
    assert record["run_id"].startswith("digits-net-TwoWayLoss-")
    assert record["config"]["backbone"]["options"] == {"width": 8}
    run = ["evaluate", f"run={record['run_id']}", f"runs_dir={runs_dir}"]
    assert main(run) == 0  # from the saved scores, without the model
    saved = capsys.readouterr().out.partition("(")[0]
    assert main([*run, "recompute=true"]) == 2
    assert "names _target_=my_nets.Net" in capsys.readouterr().err
    assert main([*run, "recompute=true", "trust=true"]) == 0
    assert capsys.readouterr().out.partition("(")[0] == saved


def test_a_run_that_is_stopped_goes_on_to_the_result_of_the_unbroken_one(runs_dir, tmp_path, monkeypatch, capsys):
    assert train(tmp_path / "unbroken", *NET) == 0
    net = sys.modules["my_nets"].Net
    forward, left = net.forward, iter(range(1000))

    def stopped(self, images):
        if next(left) == 9:
            signal.raise_signal(signal.SIGTERM)
        return forward(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(net, "forward", stopped)
        assert train(runs_dir, *NET) == 75
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["my_nets"], "Net", lambda num_classes, width: net(num_classes, width=width + 1))
        assert train(runs_dir, *NET) == 4
    assert "The code of the backbone has changed since" in capsys.readouterr().err
    assert train(runs_dir, *NET) == 0
    assert read_result(runs_dir) == read_result(tmp_path / "unbroken")


def test_two_processes_train_one(runs_dir):
    process = start(runs_dir, *SHORT, *NET, "devices=2")
    assert process.wait() == 0, process.stderr.read()
    assert read_record(runs_dir)["num_processes"] == 2


def test_a_file_of_the_users_own_makes_it_a_choice_also_of_a_table(runs_dir, config_dir, capsys):
    mine = ["--config-dir", config_dir, "dataset=digits", "backbone=mine", "backbone.options.width=4"]
    assert train(runs_dir, *SHORT, *mine, "loss=twoway") == 0
    record = read_record(runs_dir)
    assert record["config"]["backbone"]["options"] == {"width": 4}
    sizes = ["dataset.num_train=64", "dataset.num_test=64", "epochs=1", "evaluate_every=2"]
    batches = ["batch_size=64", "bucket_size=64", "microbatch_size=32"]
    assert main(["tables", "table3", *mine, *sizes, *batches, f"runs_dir={runs_dir}", "seeds=1"]) == 0
    assert f"{100 * record['metrics']['map_class']:.2f}" in capsys.readouterr().out


def test_a_model_that_a_package_registers_with_timm_is_the_function_that_it_registers(runs_dir):
    assert train(runs_dir, *SHORT, "backbone=own", "backbone._target_=my_nets.registered") == 0
    assert read_record(runs_dir)["status"] == "finished"


def test_weights_come_from_a_file_all_but_the_head(runs_dir, tmp_path):
    source = timm.create_model("test_resnet", num_classes=3)
    safetensors.torch.save_file(source.state_dict(), tmp_path / "weights.safetensors")
    own = ["backbone=own", "backbone._target_=my_nets.registered"]
    still = ["optim.head_lr=1e-30", "optim.backbone_lr=0", f"backbone.weights={tmp_path / 'weights.safetensors'}"]
    assert train(runs_dir, *SHORT, *own, *still) == 0
    (path,) = runs_dir.glob("*/weights.safetensors")
    trained = safetensors.torch.load_file(path)
    assert torch.equal(trained["conv1.0.weight"], source.conv1[0].weight)
    assert trained["fc.weight"].shape == (80, 96)


@pytest.mark.parametrize("target", ["Net", "Named"])
def test_a_cosine_head_takes_the_place_of_the_linear_one(runs_dir, target):
    options = ["+backbone.options.width=8"] if target == "Net" else []
    own = ["backbone=own", f"backbone._target_=my_nets.{target}", *options, "backbone.head=cosine"]
    assert train(runs_dir, *SHORT, *own) == 0
    (path,) = runs_dir.glob("*/weights.safetensors")
    trained = safetensors.torch.load_file(path)
    assert trained["head.weight"].shape == (80, 8)
    assert "head.bias" not in trained


def test_a_head_that_get_classifier_names_need_not_be_linear(runs_dir):
    assert train(runs_dir, *SHORT, "backbone=own", "backbone._target_=my_nets.NamedConvolutional") == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("Missing", "_target_=my_nets.Missing cannot be imported"),
        ("FixedClasses", "unexpected keyword argument 'num_classes'"),
        ("Net", "argument: 'width'"),
        ("no_model", "gives int; expected a torch.nn.Module"),
        ("Lazy", "has lazy layers"),
        ("Convolutional", "Give it a method get_classifier() that returns the layer that makes the logits"),
        ("Unnamed", "does not make logits of 80 classes"),
        ("OnePerImage +backbone.options.width=8", "Expected logits, a tensor (1, 80)"),
        ("NamedConvolutional backbone.head=cosine", "a cosine head takes the place of a linear one"),
        ("Named +backbone.options.num_classes=3", "leave it out"),
        ("Named backbone.pretrained=true", "has no parameter `pretrained`"),
    ],
)
def test_a_mistake_is_one_of_the_configuration_in_three_lines_at_most(runs_dir, capsys, target, said):
    assert train(runs_dir, "backbone=own", *f"backbone._target_=my_nets.{target}".split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 3


def test_a_mistake_in_the_users_own_code_keeps_its_traceback(runs_dir, capsys):
    assert train(runs_dir, "backbone=own", "backbone._target_=my_nets.Mistaken") == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "my_nets.py" in error
    assert "out_features" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backbone=own"], "backbone._target_ is needed"),
        (["backbone._target_=my_nets.Net"], "for your own take backbone=own"),
        ([*NET[:3], "backbone.options.width=8"], "is given as +backbone.options.width=8"),
        (["backbone=timm", "backbone.name=my_net"], "backbone=own backbone._target_=my_package.my_net"),
    ],
)
def test_a_word_that_is_missing_or_too_much_is_told(runs_dir, capsys, words, said):
    assert train(runs_dir, *words) == 2
    assert said in capsys.readouterr().err


def test_a_saved_run_whose_class_has_changed_since_is_told(runs_dir, monkeypatch, capsys):
    assert train(runs_dir, *SHORT, *NET) == 0
    nets = sys.modules["my_nets"]
    monkeypatch.setattr(nets, "Net", lambda num_classes, width: nets.Named(num_classes))
    (run_dir,) = runs_dir.iterdir()
    assert main(["evaluate", f"run={run_dir}", "recompute=true", "trust=true"]) == 4
    assert "do not fit Named: Missing key(s)" in capsys.readouterr().err


def test_a_record_from_before_own_backbones_is_scored_again(finished_run, tmp_path):
    """Its configuration has no `_target_`."""
    record = json.loads((finished_run / "record.json").read_text(encoding="utf-8"))
    del record["config"]["backbone"]["_target_"]
    copy = tmp_path / finished_run.name
    copy.mkdir()
    for name in ("weights.safetensors", "scores.npz"):
        (copy / name).write_bytes((finished_run / name).read_bytes())
    write_record(copy, {name: record[name] for name in record.keys() - {"schema", "sha256"}})
    assert main(["evaluate", f"run={copy}", "recompute=true"]) == 0
