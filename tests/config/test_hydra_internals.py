"""What we take from the insides of Hydra: a new version of it that has changed them fails here first."""

import pytest
from hydra.errors import HydraException

from margin_bench.config.hydra_internals import (
    apply_override,
    arguments_parser,
    group_options,
    instantiate_launcher,
    parse_override,
)
from margin_bench.config.sources import Sources


def test_the_parser_knows_hydras_options_and_leaves_overrides():
    parsed = arguments_parser().parse_args(["--cfg", "job", "-m", "seed=1,2"])
    assert (parsed.cfg, parsed.multirun, parsed.overrides) == ("job", True, ["seed=1,2"])


def test_an_override_is_read_in_hydras_grammar():
    parsed = parse_override("+loss.margin=1,2.5")
    assert (parsed.key_or_group, parsed.is_add(), parsed.is_sweep_override()) == ("loss.margin", True, True)
    with pytest.raises(HydraException):
        parse_override("loss.margin=[1")


def test_the_options_of_a_group_come_from_all_folders(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\n")
    sources = Sources(tmp_path)
    with sources.opened():
        assert {"mine", "twoway"} <= set(group_options("loss", sources.search_words))
        assert "mine" not in group_options("loss", [])


def test_an_override_put_in_afterwards_composes_to_the_same():
    sources = Sources()
    with sources.opened():
        config = sources.compose("train", [])
        apply_override(parse_override("loss.logit_bias=2"), config)
        assert config == sources.compose("train", ["loss.logit_bias=2"])


@pytest.mark.parametrize(("words", "name"), [([], "basic"), (["hydra/launcher=submitit_local"], "submitit_local")])
def test_a_launcher_is_made_with_its_name(words, name):
    with Sources().opened():
        launcher, found = instantiate_launcher("train", words, lambda config: None)
    assert found == name
    assert callable(launcher.launch)
