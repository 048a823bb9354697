"""Comments beside the keys of a YAML file, as the help shows them."""

import pytest

from margin_bench.commands.yaml_comments import comments_of, defaults_in_words, with_comments

YAML = """# About the file.
defaults:
  - _self_
epochs: 40
batch_size: 512          # rows of one optimiser step
data:
  quirks:                # what one would not expect
    fixed_buckets: false # every epoch in the order of the first
  holdout: 0.0           # share: of the training split
seed: 0                  # of everything
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "train.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path / "train.yaml"


def test_a_comment_belongs_to_the_dotted_key_of_its_line(path):
    assert comments_of(path) == {
        "batch_size": "rows of one optimiser step",
        "data.quirks": "what one would not expect",
        "data.quirks.fixed_buckets": "every epoch in the order of the first",
        "data.holdout": "share: of the training split",
        "seed": "of everything",
    }


def test_comments_are_put_beside_the_same_keys_and_no_others(path):
    text = "seed: 7\nloss:\n  seed: 1\ndata:\n  holdout: ${oc.env:A_LONG_NAME,0.25}xxxxxxxx"
    assert with_comments(text, comments_of(path)).splitlines() == [
        "seed: 7                         # of everything",
        "loss:",
        "  seed: 1",
        "data:",
        "  holdout: ${oc.env:A_LONG_NAME,0.25}xxxxxxxx  # share: of the training split",
    ]


def test_keys_with_their_defaults_are_overrides_a_line_each(tmp_path):
    (tmp_path / "compare.yaml").write_text("# Compares.\nmetric: both   # or another\nseed: 0\n", encoding="utf-8")
    assert defaults_in_words(tmp_path / "compare.yaml").splitlines() == [
        "  metric=both                     or another",
        "  seed=0                          ",
    ]
