"""Saved scores come back as they were, or not at all."""

import io

import numpy as np
import pytest

from margin_bench.errors import CheckpointError
from margin_bench.records.scores import SavedScores, load_scores, save_scores, scores_sha256

SAVED = SavedScores(
    scores=np.arange(6, dtype=np.float32).reshape(3, 2),
    targets=np.array([[1, 0], [-1, 1], [0, 0]], np.int8),
    class_names=("a cat", "ein Hündchen"),
)


def test_scores_come_back_as_they_were(tmp_path):
    save_scores(tmp_path, SAVED)
    loaded = load_scores(tmp_path, {"scores_sha256": scores_sha256(tmp_path)})
    for name in ("scores", "targets"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(SAVED, name))
        assert getattr(loaded, name).dtype == getattr(SAVED, name).dtype
    assert loaded.class_names == SAVED.class_names


def test_the_file_depends_on_nothing_else(tmp_path):
    for name in ("a", "b"):
        save_scores(tmp_path / name, SAVED)
    assert scores_sha256(tmp_path / "a") == scores_sha256(tmp_path / "b")


@pytest.mark.parametrize("recorded", [None, "0" * 64])
def test_scores_that_the_record_does_not_vouch_for_are_refused(tmp_path, recorded):
    save_scores(tmp_path, SAVED)
    with pytest.raises(CheckpointError, match="another SHA-256"):
        load_scores(tmp_path, {"scores_sha256": recorded})


def test_missing_scores_are_told(tmp_path):
    assert scores_sha256(tmp_path) is None
    with pytest.raises(CheckpointError, match=r"scores\.npz is missing"):
        load_scores(tmp_path, {"scores_sha256": None})


def saved_as(folder, **arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (folder / "scores.npz").write_bytes(buffer.getvalue())


WHOLE = {"scores": SAVED.scores, "targets": SAVED.targets, "class_names": np.array(SAVED.class_names)}


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": None},
        {"targets": None},
        {"class_names": None},
        {"scores": SAVED.scores[:, :1]},
        {"scores": SAVED.scores.astype(np.float64)},
        {"scores": np.full_like(SAVED.scores, np.nan)},
        {"scores": SAVED.scores[0]},
        {"targets": SAVED.targets[:1]},
        {"targets": np.full_like(SAVED.targets, 7)},
        {"targets": SAVED.targets.astype(np.int64)},
        {"class_names": np.array(["one"])},
        {"class_names": np.array([1, 2])},
        {"class_names": np.array("ab")},
        {"class_names": np.array([{}, []], object)},
    ],
    ids=repr,
)
def test_scores_that_are_none_are_refused_though_their_checksum_is_right(tmp_path, changes):
    saved_as(tmp_path, **{key: value for key, value in (WHOLE | changes).items() if value is not None})
    with pytest.raises(CheckpointError, match="holds no scores of a run"):
        load_scores(tmp_path, {"scores_sha256": scores_sha256(tmp_path)})


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"text"])
def test_a_file_of_another_kind_is_refused_though_its_checksum_is_right(tmp_path, content):
    (tmp_path / "scores.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match="holds no scores of a run"):
        load_scores(tmp_path, {"scores_sha256": scores_sha256(tmp_path)})


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "scores.npz").mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_scores(tmp_path, {"scores_sha256": None})
