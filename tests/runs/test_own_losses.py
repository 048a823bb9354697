"""Losses from a user's own package, through the command line."""

import sys

import pytest

from margin_bench.cli import main
from tests.helpers.tiny_run import read_record, train

PACKAGE = '''
import torch
import torch.nn.functional as F
from torch import nn

from margin_bench.losses import masked
from margin_bench.targets import negatives, positives


class Cubed(nn.Module):
    """A whole loss: the mean of x^3 of the negatives and of -x^3 of the positives."""

    def __init__(self, *, factor):
        super().__init__()
        self.factor = factor

    def forward(self, logits, targets):
        signs = negatives(targets).float() - positives(targets).float()
        return self.factor * (signs * logits.clamp(-1, 1) ** 3).mean()


class PerSample(nn.Module):
    def forward(self, logits, targets):
        return logits.mean(1)


class Detached(nn.Module):
    def forward(self, logits, targets):
        return logits.detach().mean()


class Learns(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(1, 1)
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, logits, targets):
        return (logits / self.temperature).mean()


class Remembers(Learns):
    def __init__(self):
        nn.Module.__init__(self)
        self.register_buffer("mean", torch.zeros(()))


class WantsThree(nn.Module):
    def forward(self, logits, targets, weights):
        return logits.mean()


class HasAMistake(nn.Module):
    def forward(self, logits, targets):
        return self.mean(logits)

    def mean(self, logits):
        raise ValueError("a mistake of my own")


class HasOneAtFirst(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("a mistake at first")


class OfTorch(nn.Module):
    """Its constants are torch's."""

    def __init__(self):
        super().__init__()
        self.inner = nn.BCEWithLogitsLoss(pos_weight=torch.ones(80))

    def forward(self, logits, targets):
        return self.inner(logits, targets.clamp(min=0).float())


class Once(nn.Module):
    calls = []

    def forward(self, logits, targets):
        self.calls.append(len(logits))
        return logits.square().mean()


def one_number(logits, targets, dim):
    return logits.mean()


def mean_gap(logits, targets, dim, *, margin):
    """A criterion: the mean negative shall stand below the mean positive."""
    gap = masked.mean(logits, positives(targets), dim) - masked.mean(logits, negatives(targets), dim)
    return F.softplus(margin - gap)
'''


@pytest.fixture
def runs_dir(tmp_path, monkeypatch):
    """Where runs go; `my_losses` can be imported."""
    (tmp_path / "my_losses.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_losses", raising=False)
    return tmp_path / "runs"


def test_a_whole_loss(runs_dir):
    own = ["loss=own", "loss.name=cubed", "loss._target_=my_losses.Cubed", "+loss.factor=2.0"]
    assert train(runs_dir, "epochs=1", *own) == 0
    record = read_record(runs_dir)
    assert record["status"] == "finished"
    assert "-Cubed-" in record["run_id"]
    assert record["config"]["loss"]["factor"] == 2.0
    assert main(["evaluate", f"run={record['run_id']}", f"runs_dir={runs_dir}"]) == 0


def test_a_loss_that_is_no_single_number_is_told(runs_dir, capsys):
    assert train(runs_dir, "loss=own", "loss.name=per_sample", "loss._target_=my_losses.PerSample") == 2
    assert "the loss returned a tensor (64,)\nExpected one number" in capsys.readouterr().err


def test_a_loss_without_a_gradient_is_told(runs_dir, capsys):
    assert train(runs_dir, "loss=own", "loss.name=detached", "loss._target_=my_losses.Detached") == 2
    assert "the loss does not depend on the logits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("WantsThree", [], "WantsThree is no loss, which is called as loss(logits, targets): missing a required"),
        ("OfTorch", ["+loss.unknown=1"], "my_losses.OfTorch: got an unexpected keyword argument 'unknown'"),
        ("Detached", ["+loss.unknown=1"], "my_losses.Detached: Detached.__init__() got an unexpected keyword"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(runs_dir, capsys, name, more, said):
    assert train(runs_dir, "loss=own", "loss.name=wrong", f"loss._target_=my_losses.{name}", *more) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) <= 3


@pytest.mark.parametrize(("name", "last"), [("HasAMistake", "of my own"), ("HasOneAtFirst", "at first")])
def test_an_error_in_code_of_the_users_own_shows_where_it_is_and_nothing_of_ours(runs_dir, capsys, name, last):
    assert train(runs_dir, "loss=own", "loss.name=wrong", f"loss._target_=my_losses.{name}") == 1
    told = capsys.readouterr().err
    assert "an error in code of your own\nTraceback" in told
    assert f"ValueError: a mistake {last}" in told
    assert "my_losses.py" in told
    assert "hydra" not in told
    assert len(told.splitlines()) < 12
    assert read_record(runs_dir)["status"] == "failed"


@pytest.mark.parametrize(("name", "has"), [("Learns", "parameter temperature"), ("Remembers", "buffer mean")])
def test_a_loss_that_learns_or_remembers_is_refused(runs_dir, capsys, name, has):
    assert train(runs_dir, "loss=own", "loss.name=state", f"loss._target_=my_losses.{name}") == 2
    assert f"{name} has the {has}: what a loss learns or remembers is not saved" in capsys.readouterr().err


def test_constants_of_torchs_losses_are_no_state(runs_dir):
    assert train(runs_dir, "epochs=1", "loss=own", "loss.name=of_torch", "loss._target_=my_losses.OfTorch") == 0


@pytest.mark.parametrize("diagnostics", ["false", "1", "3"])
def test_a_loss_is_called_once_for_each_bucket_whatever_is_measured(runs_dir, diagnostics):
    own = ["loss=own", "loss.name=once", "loss._target_=my_losses.Once", f"diagnostics={diagnostics}"]
    assert train(runs_dir, "epochs=2", *own) == 0
    assert sys.modules["my_losses"].Once.calls == [64] * 8
    (entry, _) = read_record(runs_dir)["history"]
    assert ("gradient_norm" in entry) == (diagnostics != "false")


@pytest.mark.parametrize(("way", "num_groups"), [("class", 80), ("sample", 64), ("joint", 1)])
def test_a_criterion_that_gives_no_number_for_each_group_is_told(runs_dir, capsys, way, num_groups):
    assert train(runs_dir, "loss=criterion", "loss.function=my_losses.one_number", f"loss.way={way}") == 2
    said = capsys.readouterr().err
    assert f"the criterion returned a tensor ()\nExpected what each of the {num_groups} groups costs" in said


def test_a_parameter_without_its_plus_is_told(runs_dir, capsys):
    own = ["loss=own", "loss.name=cubed", "loss._target_=my_losses.Cubed", "loss.factor=2.0"]
    assert train(runs_dir, *own) == 2
    assert "a parameter of your own loss is given as +loss.factor=2.0" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["class", "both"])
def test_a_criterion_in_any_way(runs_dir, way):
    own = ["loss=criterion", "loss.function=my_losses.mean_gap", "+loss.parameters.margin=0.5", f"loss.way={way}"]
    assert train(runs_dir, "epochs=1", *own) == 0
    record = read_record(runs_dir)
    assert record["status"] == "finished"
    assert f"-mean_gap-{way}-" in record["run_id"]


def test_a_file_of_ones_own_beside_the_package(runs_dir, tmp_path):
    (tmp_path / "configs" / "loss").mkdir(parents=True)
    (tmp_path / "configs" / "loss" / "cubed.yaml").write_text(
        "name: cubed\n_target_: my_losses.Cubed\nfactor: 1.0\n", encoding="utf-8"
    )
    own = ["--config-dir", str(tmp_path / "configs"), "loss=cubed", "loss.factor=3.0"]
    assert train(runs_dir, "epochs=1", *own) == 0
    assert read_record(runs_dir)["config"]["loss"]["factor"] == 3.0


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (["loss=own", "loss._target_=my_losses.Missing"], "_target_=my_losses.Missing cannot be imported"),
        (["loss=own", "loss._target_=my_losses.Cubed"], "argument: 'factor'"),
        (["loss=criterion", "loss.function=my_losses.missing"], "function=my_losses.missing cannot be imported"),
        (["loss=criterion", "loss.function=my_losses.mean_gap"], "argument: 'margin'"),
    ],
)
def test_a_mistake_is_one_of_the_configuration(runs_dir, own, said, capfd):
    assert train(runs_dir, *own) == 2
    assert said in capfd.readouterr().err


def test_a_change_of_the_code_of_a_finished_run_is_told(runs_dir, capsys):
    own = ["epochs=1", "loss=own", "loss.name=cubed", "loss._target_=my_losses.Cubed", "+loss.factor=2.0"]
    assert train(runs_dir, *own) == 0
    assert train(runs_dir, *own) == 0
    assert "has changed" not in capsys.readouterr().err
    path = runs_dir.parent / "my_losses.py"
    path.write_text(f"{PACKAGE}\n# another thought\n", encoding="utf-8")
    assert train(runs_dir, *own) == 0
    assert "the code of my_losses.Cubed has changed since: raise its revision" in capsys.readouterr().err
