"""The parser of the commands with words of their own: what it reads, refuses and completes."""

import pytest

from margin_bench.commands.arguments import Parser, names_and_overrides
from margin_bench.errors import ConfigError


@pytest.fixture
def parser():
    made = Parser("draw", "draw shapes")
    made.add_words("SHAPE [SHAPE ...]", "SHAPE is what to draw.", lambda line: ["square", "star", *line.words])
    made.add_argument("--colour", choices=["red", "green"])
    made.add_argument("--output")
    made.add_argument("--fill", action="store_true")
    return made


def test_options_may_stand_before_between_and_after_the_words(parser):
    line = parser.read(["--fill", "square", "--colour", "red", "star"])
    assert (line.words, line.colour, line.fill, line.help) == (["square", "star"], "red", True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--clour", "red"], "margin-bench draw: unknown option --clour; did you mean --colour?"),
        (["--xyz=3"], "margin-bench draw: unknown option --xyz=3"),
        (["--colour", "blue"], "margin-bench draw: argument --colour: invalid choice: 'blue'"),
        (["--output"], "margin-bench draw: argument --output: expected one argument"),
    ],
)
def test_a_mistake_names_the_word_and_the_help(parser, words, said):
    with pytest.raises(ConfigError) as raised:
        parser.read(words)
    first, second = str(raised.value).splitlines()
    assert first.startswith(said)
    assert second == "margin-bench draw --help shows what there is"


def test_the_help_goes_from_the_usage_to_the_options(parser, capsys):
    parser.print_help()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:7] == [
        "usage: margin-bench draw SHAPE [SHAPE ...] [options]",
        "",
        "Draw shapes.",
        "",
        "SHAPE is what to draw.",
        "",
        "options:",
    ]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["s"], ["square", "star"]),
        (["square", "--fill", "st"], ["star"]),
        (["square", "squ"], ["square", "square"]),  # what has been read of the line is known
        (["--f"], ["--fill"]),
        (["--colour", "g"], ["green"]),
        (["--output", "s"], []),
    ],
)
def test_the_last_word_is_completed_by_what_can_stand_there(parser, words, completed):
    assert parser.completions(words) == completed


def test_a_path_of_a_run_is_no_override():
    names, overrides = names_and_overrides(
        ["runs/lr=0.1/a", "seed=1", "both-*", "+loss.gamma=2", "~epochs=1", "hydra/launcher=basic", "./a=b"]
    )
    assert names == ["runs/lr=0.1/a", "both-*", "./a=b"]
    assert overrides == ["seed=1", "+loss.gamma=2", "~epochs=1", "hydra/launcher=basic"]
