"""The catalogue of losses, from their YAML files."""

import re

import pytest

from margin_bench.commands.losses import GUIDE, KINDS, WIDTH, entries, show
from margin_bench.errors import ConfigError

ENTRIES = entries()


def test_every_loss_is_listed_with_formula_and_source():
    overview = show()
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
    shown = show("twoway")
    for part in ("softplus(", "paper, eq. 14", "loss.positive_temperature=4.0", "sample, class, both, joint", "1/0/-1"):
        assert part in shown
    assert "ways     none" in show("bce")
    assert "loss.alpha=null" in show("focal")
    assert "head     cosine" in show("arcface")


def test_lines_of_the_overview_fit_a_wide_terminal():
    assert max(map(len, show().splitlines())) <= WIDTH


def test_an_unknown_name_is_told_with_what_is_near():
    with pytest.raises(ConfigError, match="there is no loss focl; did you mean focal"):
        show("focl")
