"""What decides the result of a run, as records and identities have it."""

import dataclasses
from pathlib import Path

from margin_bench.config.identity import files_sha256, identity
from margin_bench.config.schema import typed
from margin_bench.config.sources import Sources
from margin_bench.records.paths import without_paths
from margin_bench.records.traits import traits_of, traits_of_identity, traits_of_record


def config(*overrides: str) -> dict:
    with Sources().opened():
        return dataclasses.asdict(typed("train", Sources().compose("train", ["precision=fp32", *overrides])))


def record(content: dict) -> dict:
    return {"config": without_paths(content)[0], "files_sha256": files_sha256(content)}


def test_a_record_and_its_identity_have_the_same_traits(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,a\n", encoding="utf-8")
    for overrides in ([], ["loss=triplet"], ["dataset=csv", f"dataset.file={tmp_path}/a.csv", "+dataset.extra=/a/b"]):
        content = config(*overrides)
        assert traits_of_record(record(content)) == traits_of_identity(identity(content))


def test_traits_are_texts_by_dotted_key_without_what_does_not_decide() -> None:
    traits = traits_of_record(record(config("workers=2", "loss.name=mine")))
    assert traits["loss.positive_temperature"] == "4.0"
    assert traits["dataset.name"] == "'digits'"
    assert not {"workers", "loss.name", "loss.revision", "backbone.scale", "backbone.weights"} & traits.keys()


def test_files_differ_by_their_content(tmp_path: Path) -> None:
    for name, text in (("a.csv", "image,a\n"), ("b.csv", "image,a\n"), ("c.csv", "image,b\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    a, b, c = (record(config("dataset=csv", f"dataset.file={tmp_path / name}.csv")) for name in "abc")
    assert traits_of_record(a) == traits_of_record(b)
    differing = dict(traits_of_record(a).items() ^ traits_of_record(c).items())
    assert list(differing) == ["the content of dataset.file"]
    assert traits_of(a["config"]) == traits_of(c["config"]), "without files"


def test_some_sections_have_traits_as_well() -> None:
    assert traits_of({"dataset": {"name": "a", "root": "/x", "revision": 2}}) == {
        "dataset.name": "'a'",
        "dataset.revision": "2",
    }
