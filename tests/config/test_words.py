"""Overrides in Hydra's grammar."""

import pytest

from margin_bench.config.words import in_words, parsed, text_of
from margin_bench.errors import ConfigError

TEXTS = [
    "runs",
    "/a/b c",
    "a, b",
    "(x)",
    "10",
    "1e3",
    "null",
    " a",
    "a=b",
    "[a",
    "ü",
    'q"r',
    "q'r",
    'x\\"y',
    'a"b\\',
    "c\\",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_from_its_override(text):
    word = in_words("key", text)
    assert parsed(word).value() == text_of(word) == text


def test_only_what_hydra_would_read_differently_is_in_quotes():
    assert in_words("key", "/a/b c") == "key=/a/b c"
    assert in_words("key", "a,b") == 'key="a,b"'


@pytest.mark.parametrize("word", ["a=1,2", "a=range(3)", "a=[1", "~a=1", "a"])
def test_what_does_not_give_one_value_is_told(word):
    with pytest.raises(ConfigError) as caught:
        parsed(word)
    assert str(caught.value).startswith(f"{word}: expected ")
