"""Nested dictionaries by dotted keys."""

from typing import Any

from margin_bench.config.dotted import copied, has, leaves_of, put, take_out, value_at


def test_a_copy_can_be_changed_alone():
    content = {"a": {"b": 1}, "c": 2}
    copy = copied(content)
    put(copy, "a.b", 3)
    assert (content, copy) == ({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})


def test_what_is_not_there_is_none():
    content = {"a": {"b": 1}, "c": None}
    assert [value_at(content, key) for key in ("a.b", "a", "c", "d", "a.d", "a.b.d")] == [1, {"b": 1}, *[None] * 4]


def test_a_key_without_a_value_is_there():
    content = {"a": {"b": None}, "c": None}
    assert [has(content, key) for key in ("a", "c", "a.b", "a.d", "d", "c.a", "d.e")] == [*[True] * 3, *[False] * 4]


def test_a_value_gets_the_dictionaries_that_it_needs():
    content: dict[str, Any] = {}
    put(content, "a.b.c", 1)
    assert content == {"a": {"b": {"c": 1}}}


def test_a_key_is_taken_out_if_it_is_there():
    content = {"a": {"b": 1, "c": 2}}
    for key in ("a.b", "a.d", "d.e", "a.c.d"):
        take_out(content, key)
    assert content == {"a": {"c": 2}}


def test_a_dictionary_that_had_nothing_else_goes_with_it():
    content: dict[str, Any] = {"a": {"b": {"c": 1}, "d": {}}, "e": 2}
    take_out(content, "a.b.c")
    assert content == {"a": {"d": {}}, "e": 2}
    take_out(content, "a.d.f")
    assert content == {"a": {"d": {}}, "e": 2}, "it was empty before"
    take_out(content, "a.d")
    assert content == {"e": 2}


def test_leaves_are_all_that_is_no_further_dictionary():
    content = {"a": {"b": 1, "c": {}}, "d": [{"e": 2}]}
    assert dict(leaves_of(content)) == {"a.b": 1, "a.c": {}, "d": [{"e": 2}]}
