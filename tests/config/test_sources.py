"""Where configurations come from: our own folder, and one of the user's."""

import pytest

from margin_bench.config.sources import Sources, configs_dir
from margin_bench.errors import ConfigError


@pytest.fixture
def own(tmp_path):
    """A user's folder with a loss."""
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\n_target_: builtins.dict\nmargin: 2\n", encoding="utf-8")
    return tmp_path


def test_without_a_folder_of_the_users_there_are_only_ours():
    sources = Sources.of(None)
    assert sources.dirs == [configs_dir()]
    assert sources.search_words == sources.option_words == []
    assert sources.find("loss", "twoway") == configs_dir() / "loss" / "twoway.yaml"
    assert sources.find("loss", "mine") is None


def test_options_of_a_group_are_ours_and_the_users_sorted(own):
    options = Sources.of(str(own)).options("loss")
    assert options["mine"] == own / "loss" / "mine.yaml"
    assert options["twoway"] == configs_dir() / "loss" / "twoway.yaml"
    assert list(options) == sorted(options)


def test_a_group_is_a_folder_and_a_key_is_none(own):
    (own / "extra").mkdir()
    sources = Sources.of(str(own))
    assert sources.has_group("loss")
    assert sources.has_group("extra")
    assert not sources.has_group("seed")


def test_hydra_composes_of_both_folders(own):
    sources = Sources.of(str(own))
    with sources.opened():
        loss = sources.compose("train", ["loss=mine"]).loss
    assert (loss.name, loss.margin) == ("mine", 2)


def test_the_words_of_a_command_line_name_the_folder(own):
    assert Sources.of(str(own)).option_words == ["--config-dir", str(own)]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="nothing is no folder"):
        Sources.of(str(tmp_path / "nothing"))


def test_a_file_with_the_name_of_one_of_ours_is_refused(own):
    (own / "loss" / "twoway.yaml").write_text("name: twoway\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"margin-bench has loss/twoway\.yaml itself"):
        Sources.of(str(own))


def test_our_own_folder_may_be_named():
    assert Sources.of(str(configs_dir())).find("loss", "twoway") is not None


@pytest.mark.parametrize("content", ["margin: 2\n", "# @package _global_\nepochs: 3\nloss:\n  margin: 2\n"])
def test_what_a_file_says_about_its_group_may_stand_in_a_section(own, content):
    (own / "loss" / "mine.yaml").write_text(
        f"{content}defaults:\n  - /head@_global_.backbone: cosine\n", encoding="utf-8"
    )
    assert Sources.of(str(own)).section("loss", "mine") == {"margin": 2}


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("name: mine\nloss: bce\n", {"name": "mine", "loss": "bce"}),
        ("name: mine\nloss: {name: bce}\n", {"name": "mine", "loss": {"name": "bce"}}),
        ("# @package _global_\nepochs: 1\nloss: {name: mine}\n", {"name": "mine"}),
        ("# @package _global_\nloss: bce\n", {}),
        ("# @package _global_\nepochs: 1\n", {}),
    ],
)
def test_a_section_is_that_of_a_global_file_or_the_file_itself(text, section, own):
    (own / "loss" / "mine.yaml").write_text(text, encoding="utf-8")
    assert Sources(own).section("loss", "mine") == section
