"""YAML files, held against Hydra's own reader."""

import pytest
from omegaconf import OmegaConf

from margin_bench.config.sources import configs_dir
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError


def test_our_files_are_read_as_hydra_reads_them():
    for path in configs_dir().rglob("*.yaml"):
        assert read_yaml(path) == OmegaConf.to_container(OmegaConf.load(path)), path


def test_a_number_may_have_an_exponent_and_no_point(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1e-4\nb: 1_000\nc: on\n", encoding="utf-8")
    assert read_yaml(path) == OmegaConf.to_container(OmegaConf.load(path))
    assert read_yaml(path)["a"] == 0.0001


def test_an_empty_file_has_no_keys(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n", encoding="utf-8")
    assert read_yaml(path) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "a is there twice"),
        ("a: [1\n", "cannot be read"),
        ("- a\n- b\n", r"expected keys with values, got \['a', 'b'\]"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path, text, said):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.yaml cannot be read"):
        read_yaml(tmp_path / "a.yaml")
