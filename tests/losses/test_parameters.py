"""What the parameters of losses may be."""

import math

import pytest

from margin_bench.losses.parameters import check_above_zero, check_at_least_zero, check_finite, check_one_of


def test_good_values_pass():
    check_finite(bias=-3)
    check_at_least_zero(temperature=0)
    check_above_zero(gamma=0.1, scale=2)
    check_one_of(1, 2, power=2)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (check_finite, [math.nan, math.inf]),
        (check_at_least_zero, [-1, math.nan, math.inf]),
        (check_above_zero, [0, -1, math.nan, math.inf]),
    ],
)
def test_a_wrong_number_is_named_with_its_parameter(check, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"gamma: expected a.* number.*, got {value}"):
            check(gamma=value)


def test_an_unknown_word_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="form: expected one of kl, js, got 'ce'"):
        check_one_of("kl", "js", form="ce")
