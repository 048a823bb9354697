"""Save the scores of a run in one `.npz` file in its directory, and read them back only if the record vouches for it.

Imports no torch.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from margin_bench.errors import CheckpointError
from margin_bench.runtime.files import opened, sha256, write_atomic

SCORES = "scores.npz"


@dataclass(frozen=True)
class SavedScores:
    """The scores that a run's model gave its samples after the last epoch, with their targets.

    Attributes:
        scores: float32 (N, C), the logits.
        targets: int8 (N, C).
        class_names: C of them.
    """

    scores: NDArray[np.float32]
    targets: NDArray[np.int8]
    class_names: tuple[str, ...]


def save_scores(run_dir: Path, saved: SavedScores) -> None:
    """Write the scores into a run's directory; the same scores make the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, scores=saved.scores, targets=saved.targets, class_names=np.array(saved.class_names))
    write_atomic(run_dir / SCORES, buffer.getvalue())


def scores_sha256(run_dir: Path) -> str | None:
    """Return the SHA-256 of the saved scores; None where there are none.

    Raises:
        CheckpointError: they cannot be read.
    """
    path = run_dir / SCORES
    try:
        return sha256(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.\nMake it readable.") from error


def load_scores(run_dir: Path, record: dict[str, Any]) -> SavedScores:
    """Return the saved scores of a finished run.

    Raises:
        CheckpointError: they are missing, cannot be read, or are not those of the record.

    Examples:
        >>> import tempfile
        >>> saved = SavedScores(np.zeros((2, 1), np.float32), np.array([[1], [0]], np.int8), ("cat",))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_scores(Path(folder), saved)
        ...     load_scores(Path(folder), {"scores_sha256": scores_sha256(Path(folder))}).class_names
        ('cat',)
    """
    found = scores_sha256(run_dir)
    if found is None or found != record.get("scores_sha256"):
        cause = "is missing" if found is None else "is not what the record says: another SHA-256"
        raise CheckpointError(
            f"{run_dir / SCORES} {cause}\n"
            "margin-bench evaluate recompute=true does without it where the weights are there. Else run it again,\n"
            "with another runs_dir where only its record was kept."
        )
    try:
        with opened(run_dir / SCORES) as file, np.load(file, allow_pickle=False) as content:
            saved = SavedScores(content["scores"], content["targets"], tuple(map(str, content["class_names"])))
            if content["class_names"].dtype.kind != "U":
                raise TypeError("the class names are no text")
        oddity = _oddity_of(saved)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        oddity = f"{type(error).__name__}: {error}"
    if oddity:
        raise CheckpointError(
            f"{run_dir / SCORES} holds no scores of a run: {oddity}\n"
            "margin-bench evaluate recompute=true does without it where the weights are there."
        )
    return saved


def _oddity_of(saved: SavedScores) -> str | None:
    """Return what scores, targets and class names are and must not be; None if they fit together."""
    scores, targets, names = saved.scores, saved.targets, saved.class_names
    if scores.dtype != np.float32 or targets.dtype != np.int8 or scores.ndim != 2:
        return "expected scores float32 (N, C) and targets int8 (N, C)"
    if scores.shape != targets.shape or scores.shape[1] != len(names) or not all(isinstance(n, str) for n in names):
        return f"scores {scores.shape}, targets {targets.shape} and {len(names)} class names do not fit together"
    if not np.isfinite(scores).all() or not np.isin(targets, (-1, 0, 1)).all():
        return "expected finite scores, and targets of 1, 0 and -1"
    return None
