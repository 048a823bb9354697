"""Save the scores of a run in one `.npz` file in its directory, and read them back only if the record vouches for it.

Imports no torch.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from margin_bench.errors import CheckpointError
from margin_bench.runtime.files import sha256, write_atomic

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
    """Return the SHA-256 of the saved scores; None where there are none."""
    path = run_dir / SCORES
    return sha256(path) if path.is_file() else None


def load_scores(run_dir: Path, record: dict[str, Any]) -> SavedScores:
    """Return the saved scores of a finished run.

    Raises:
        CheckpointError: they are missing, or not those of the record.

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
    with np.load(run_dir / SCORES, allow_pickle=False) as content:
        return SavedScores(content["scores"], content["targets"], tuple(content["class_names"].tolist()))
