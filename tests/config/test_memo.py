"""What words compose to is remembered until something changes that it is composed of."""

import os

import pytest

from margin_bench.config import memo as module
from margin_bench.config.memo import Memo
from margin_bench.config.sources import Sources

WORDS = ("dataset=digits", "epochs=3")
CONTENT = {"epochs": 3, "loss": {"name": "twoway", "rates": [1.0, None], "temperature": float("inf")}}


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """A folder of the user's own YAML files, and a cache that no other test has."""
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    (tmp_path / "own" / "loss").mkdir(parents=True)
    (tmp_path / "own" / "loss" / "mine.yaml").write_text("name: ${oc.env:NAME_OF_MINE,mine}\n", encoding="utf-8")
    return tmp_path / "own"


def remember(own, words=WORDS):
    memo = Memo(Sources(own))
    memo.add(words, CONTENT)
    memo.save()
    (path,) = (own.parent / "cache" / "compositions").iterdir()
    return path


def test_what_was_added_is_there_the_next_time(own):
    assert Memo(Sources(own)).get(WORDS) is None
    remember(own)
    assert Memo(Sources(own)).get(WORDS) == CONTENT
    assert Memo(Sources(own)).get((*WORDS, "seed=1")) is None


def test_what_is_added_comes_back_as_it_will_the_next_time(own):
    assert Memo(Sources(own)).add(WORDS, {"names": {0: ("a", "b")}}) == {"names": {"0": ["a", "b"]}}


def test_processes_add_to_what_others_have_written(own):
    first, second = Memo(Sources(own)), Memo(Sources(own))
    for memo, words in ((first, WORDS), (second, ("epochs=4",))):
        memo.add(words, CONTENT)
        memo.save()
    memo = Memo(Sources(own))
    assert memo.get(WORDS) == memo.get(("epochs=4",)) == CONTENT


def test_nothing_is_written_where_nothing_was_added(own):
    Memo(Sources(own)).save()
    assert not (own.parent / "cache").exists()


@pytest.mark.parametrize("name", ["loss/mine.yaml", "loss/other.yaml", "deeper/still/other.yaml"])
def test_a_file_that_changes_or_joins_makes_it_forget(name, own):
    remember(own)
    (own / name).parent.mkdir(parents=True, exist_ok=True)
    (own / name).write_text("name: other\n", encoding="utf-8")
    assert Memo(Sources(own)).get(WORDS) is None


def test_what_was_composed_while_a_file_changed_is_not_kept(own):
    memo = Memo(Sources(own))
    before = (own / "loss" / "mine.yaml").read_text(encoding="utf-8")
    (own / "loss" / "mine.yaml").write_text("name: other\n", encoding="utf-8")
    memo.add(WORDS, CONTENT)
    memo.save()
    (own / "loss" / "mine.yaml").write_text(before, encoding="utf-8")
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_file_behind_a_link_counts(own, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (own / "dataset").symlink_to(tmp_path / "elsewhere")
    remember(own)
    (tmp_path / "elsewhere" / "mine.yaml").write_text("name: mine\n", encoding="utf-8")
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_variable_that_a_file_names_makes_it_forget(own, monkeypatch):
    remember(own)
    monkeypatch.setenv("NAME_OF_NONE", "other")
    assert Memo(Sources(own)).get(WORDS) == CONTENT
    monkeypatch.setenv("NAME_OF_MINE", "other")
    assert Memo(Sources(own)).get(WORDS) is None


def test_another_version_makes_it_forget(own, monkeypatch):
    remember(own)
    monkeypatch.setattr(module, "__version__", "0.0.0")
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_file_with_the_time_in_it_is_never_remembered(own):
    (own / "loss" / "mine.yaml").write_text("name: ${now:%Y}\n", encoding="utf-8")
    memo = Memo(Sources(own))
    memo.add(WORDS, CONTENT)
    memo.save()
    assert Memo(Sources(own)).get(WORDS) is None


def test_an_override_that_refers_to_something_is_never_remembered(own):
    memo = Memo(Sources(own))
    memo.add(("dataset.root=${oc.env:HOME}",), CONTENT)
    memo.save()
    assert Memo(Sources(own)).get(("dataset.root=${oc.env:HOME}",)) is None


def test_each_folder_has_a_memory_of_its_own(own, tmp_path):
    remember(own)
    (tmp_path / "another").mkdir()
    assert Memo(Sources(tmp_path / "another")).get(WORDS) is None
    assert Memo(Sources()).get(WORDS) is None
    assert Memo(Sources(own)).get(WORDS) == CONTENT


def test_damage_is_seen_and_written_over(own):
    path = remember(own)
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole.replace(b'"epochs": 3', b'"epochs": 5'), b"\xff\xfe", b""):
        path.write_bytes(damaged)
        assert Memo(Sources(own)).get(WORDS) is None
    remember(own)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_to_is_no_error(own):
    (own.parent / "cache").write_text("", encoding="utf-8")
    memo = Memo(Sources(own))
    memo.add(WORDS, CONTENT)
    memo.save()
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_memory_that_grows_too_large_keeps_what_is_new(own, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    for number in range(3):
        remember(own, (f"epochs={number}",))
    memo = Memo(Sources(own))
    assert [memo.get((f"epochs={number}",)) is None for number in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    "value",
    [
        "${ now:%S}",
        "${oc.decode:${oc.env:TP_${loss.name},4.0}}",
        "${oc.env:'OTHER'}",
        "${oc.env:OTHER,${now:%S}}",
        "${oc.${part}:OTHER}",
    ],
)
def test_a_file_of_which_it_is_not_known_what_it_depends_on_is_never_remembered(value, own):
    (own / "loss" / "mine.yaml").write_text(f"name: {value}\n", encoding="utf-8")
    memo = Memo(Sources(own))
    memo.add(WORDS, CONTENT)
    memo.save()
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_variable_that_begins_with_an_underscore_counts(own, monkeypatch):
    (own / "loss" / "mine.yaml").write_text("name: ${oc.env:_HID,1.0}\n", encoding="utf-8")
    remember(own)
    assert Memo(Sources(own)).get(WORDS) == CONTENT
    monkeypatch.setenv("_HID", "2.0")
    assert Memo(Sources(own)).get(WORDS) is None


def test_a_pipe_in_the_place_of_the_memory_is_not_waited_for(own):
    path = remember(own)
    path.unlink()
    os.mkfifo(path)
    assert Memo(Sources(own)).get(WORDS) is None
