"""The catalogue of losses, from their YAML files."""

import re

import pytest

from margin_bench.cli import main
from margin_bench.commands.losses import GUIDE, KINDS, WIDTH, entries, show
from margin_bench.config.sources import Sources
from margin_bench.errors import ConfigError

SOURCES = Sources()
ENTRIES = entries(SOURCES)


def test_every_loss_is_listed_with_formula_and_source():
    overview = show(sources=SOURCES)
    words = " ".join(overview.split())
    for entry in ENTRIES:
        assert re.search(rf"^  {entry.name} ", overview, re.MULTILINE)
        assert entry.formula in words
        assert entry.source in words


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_named_as_its_file_and_complete(entry):
    assert entry.kind in KINDS
    assert all((entry.formula, entry.labels, entry.use, entry.source, entry.notes))
    assert "\n" not in entry.formula
    assert ("way" in entry.parameters) == (entry.kind == "relative" or entry.name == "criterion")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_notes_explain_every_parameter(entry):
    for parameter in set(entry.parameters) - {"way", "seed"}:
        assert re.search(rf"\b{parameter}\b.*:", entry.notes), parameter


def test_the_guide_names_losses_that_exist():
    known = {entry.name for entry in ENTRIES}
    for _, choice in GUIDE:
        named = {word for word in re.findall(r"\w+", choice) if "_" in word or word in known}
        assert named - {"loss"} <= known


def test_the_details_show_parameters_defaults_equation_and_reference():
    shown = show("twoway", sources=SOURCES)
    for part in ("softplus(", "paper, eq. 14", "loss.positive_temperature=4.0", "sample, class, both, joint", "1/0/-1"):
        assert part in shown
    assert "ways     none" in show("bce", sources=SOURCES)
    assert "loss.alpha=null" in show("focal", sources=SOURCES)
    assert "head     cosine" in show("arcface", sources=SOURCES)


def test_lines_of_the_overview_fit_a_wide_terminal():
    assert max(map(len, show(sources=SOURCES).splitlines())) <= WIDTH


def test_an_unknown_name_is_told_with_what_is_near():
    with pytest.raises(ConfigError, match="there is no loss focl; did you mean focal"):
        show("focl", sources=SOURCES)


@pytest.fixture
def own(tmp_path):
    """A folder of a user's own with two losses, one of which says nothing about itself."""
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "# gamma: how steep.\nname: mine\n_target_: my.Loss\ngamma: 2e-1\n", encoding="utf-8"
    )
    about = "{formula: softplus(x), kind: relative, labels: 1/0, use: a try, source: nowhere}"
    (tmp_path / "loss" / "other.yaml").write_text(
        f"name: other\nabout: {about}\n_target_: my.Other\nway: both\n", encoding="utf-8"
    )
    return Sources.of(str(tmp_path))


def test_losses_of_a_users_own_are_listed_among_ours(own):
    parts = {part.partition(":")[0]: part for part in show(sources=own).split("\n\n")}
    assert re.search(r"^  mine +my\.Loss$", parts["own"], re.MULTILINE)
    assert re.search(r"^  other +softplus\(x\)$", parts["relative"], re.MULTILINE)
    assert re.search(r"^  focal ", parts["point-wise"], re.MULTILINE)


def test_a_loss_of_a_users_own_is_shown_with_its_notes_and_parameters(own):
    shown = show("mine", sources=own)
    assert "gamma: how steep." in shown
    assert "loss.gamma=0.2" in shown
    assert "ways     none" in shown
    assert "ways     sample, class, both, joint" in show("other", sources=own)


def test_the_command_takes_a_folder_of_a_users_own(own, tmp_path, capsys):
    assert main(["losses", "mine", "--config-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("mine\n")
    assert main(["losses", "mine"]) == 2
    assert "there is no loss mine" in capsys.readouterr().err


def test_a_file_that_is_no_yaml_is_told(own, tmp_path, capsys):
    (tmp_path / "loss" / "broken.yaml").write_text("name: [", encoding="utf-8")
    assert main(["losses", "--config-dir", str(tmp_path)]) == 2
    assert "broken.yaml cannot be read" in capsys.readouterr().err


def test_a_loss_whose_file_sets_more_than_the_loss_is_shown_alike(own, tmp_path):
    section = "loss:\n  name: mine\n  _target_: my.Loss\n  gamma: 0.2\n"
    expected = show("mine", sources=own)
    (tmp_path / "loss" / "mine.yaml").write_text(
        f"# @package _global_\n# gamma: how steep.\nepochs: 3\n{section}", encoding="utf-8"
    )
    assert show("mine", sources=own) == expected


@pytest.mark.parametrize("line", ["about: some text", "about: [a]", "about: {kind: [a]}", "loss: bce", "defaults:"])
def test_a_file_with_odd_facts_hides_no_other_loss(line, own, tmp_path):
    (tmp_path / "loss" / "odd.yaml").write_text(f"name: odd\n_target_: my.Odd\n{line}\n", encoding="utf-8")
    shown = show(sources=own)
    assert re.search(r"^  odd +my\.Odd$", shown, re.MULTILINE)
    assert re.search(r"^  focal ", shown, re.MULTILINE)
