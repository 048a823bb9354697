"""Label matrices: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED. The only place with these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from margin_bench.errors import DataError

if TYPE_CHECKING:  # torch takes more than a second to import, and reading labels does without it
    from torch import Tensor

POSITIVE, NEGATIVE, UNLABELED = 1, 0, -1

Matrix = TypeVar("Matrix", NDArray[Any], "Tensor")


def positives(targets: Matrix) -> Matrix:
    """The mask of the positives: bool, of the shape of `targets`."""
    mask: Matrix = targets == POSITIVE
    return mask


def negatives(targets: Matrix) -> Matrix:
    """The mask of the negatives: bool, of the shape of `targets`."""
    mask: Matrix = targets == NEGATIVE
    return mask


def check_targets(targets: NDArray[Any], shape: tuple[int, int] | None = None) -> None:
    """Check the label matrix of a whole data set.

    Args:
        targets: what should be int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.
        shape: the (N, C) to expect. None: any.

    Raises:
        DataError: another shape, another dtype or other values; or signs, that is +1 and -1 without a single 0.
    """
    if not isinstance(targets, np.ndarray):
        raise DataError(
            f"Targets: expected a numpy matrix of int8, got {type(targets).__name__}.\n"
            "Convert lists of class indices with margin_bench.targets.from_indices."
        )
    if targets.ndim != 2 or (shape is not None and targets.shape != shape):
        raise DataError(
            f"Targets: expected a matrix of {'(samples, classes)' if shape is None else shape}, got {targets.shape}.\n"
            "Give one row per sample and one column per class. Convert class indices with "
            "margin_bench.targets.from_indices."
        )
    if targets.dtype != np.int8:
        raise DataError(
            f"Targets: expected int8 of 1 (positive), 0 (negative) and -1 (unlabeled), got {targets.dtype}.\n"
            "Convert bool or 0/1 with margin_bench.targets.from_multi_hot, +1/-1 with from_signs, class indices with\n"
            "from_indices; a label between 0 and 1 must become one of the three."
        )
    _check_values("Targets", targets, (POSITIVE, NEGATIVE, UNLABELED), "1 (positive), 0 (negative) and -1 (unlabeled)")
    if (targets == POSITIVE).any() and (targets == UNLABELED).any() and not (targets == NEGATIVE).any():
        raise DataError(
            "Targets: expected 1 (positive), 0 (negative) and -1 (unlabeled), got +1 and -1 without any 0.\n"
            "If -1 means negative here, convert with margin_bench.targets.from_signs; else mark the negatives with 0."
        )


def from_signs(signs: NDArray[Any]) -> NDArray[np.int8]:
    """Label matrix from signs (N, C): +1 is positive, -1 negative, 0 unlabeled.

    Raises:
        DataError: bool, or any other value.
    """
    if signs.dtype == np.bool_:
        raise DataError(
            "Signs: expected +1 (positive), -1 (negative) and 0 (unlabeled), got bool.\n"
            "Convert bool with margin_bench.targets.from_multi_hot."
        )
    _check_values("Signs", signs, (1, -1, 0), "+1 (positive), -1 (negative) and 0 (unlabeled)")
    return np.select([signs > 0, signs < 0], [np.int8(POSITIVE), np.int8(NEGATIVE)], default=np.int8(UNLABELED))


def from_multi_hot(multi_hot: NDArray[Any]) -> NDArray[np.int8]:
    """Label matrix from bool or 0/1 of any dtype (N, C): True or 1 is positive, all else negative.

    Raises:
        DataError: any other value.
    """
    _check_values("Multi-hot labels", multi_hot, (1, 0), "1 (positive) and 0 (negative)")
    return np.where(multi_hot, np.int8(POSITIVE), np.int8(NEGATIVE))


def from_indices(indices: Sequence[Sequence[int]], num_classes: int) -> NDArray[np.int8]:
    """Label matrix (N, num_classes) from the positive classes of each of N samples; all others are negative.

    Raises:
        DataError: an index outside 0 .. num_classes - 1.
    """
    targets = np.full((len(indices), num_classes), NEGATIVE, np.int8)
    for sample, classes in enumerate(indices):
        for index in classes:
            if not 0 <= index < num_classes:
                raise DataError(
                    f"Class indices: expected 0 to {num_classes - 1}, got {index} at sample {sample}.\n"
                    "Number the classes from zero without gaps, or raise the number of classes."
                )
            targets[sample, index] = POSITIVE
    return targets


def class_frequencies(targets: NDArray[Any]) -> NDArray[np.int64]:
    """How many samples of a label matrix (N, C) are positive and how many negative of each class: (2, C)."""
    return np.stack([positives(targets).sum(axis=0), negatives(targets).sum(axis=0)])


def check_bucket(logits: Tensor, targets: Tensor) -> None:
    """Check what a loss is given by dtype and shape alone, so that no device has to be waited for.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED; wider integers are fine.

    Raises:
        TypeError: logits that are not float; targets that are bool, float or complex.
        ValueError: other shapes.
    """
    import torch  # here alone; see above

    if not logits.is_floating_point():
        raise TypeError(f"Logits: expected float, got {logits.dtype}. Give the output of the model as it is.")
    if targets.dtype == torch.bool or targets.is_floating_point() or targets.is_complex():
        raise TypeError(
            f"Targets: expected integers, 1 (positive), 0 (negative) and -1 (unlabeled), got {targets.dtype}.\n"
            "Convert bool or 0/1 with .to(torch.int8), +1/-1 with margin_bench.targets.from_signs."
        )
    if logits.ndim != 2 or targets.shape != logits.shape:
        raise ValueError(
            f"Expected logits and targets of one shape (samples, classes), got {tuple(logits.shape)} and "
            f"{tuple(targets.shape)}.\nConvert class indices with margin_bench.targets.from_indices."
        )


def may_hold_unlabeled(targets: Tensor) -> bool:
    """Whether a bucket may hold an unlabeled entry: looked up on a CPU, True elsewhere, where to look is to wait."""
    return targets.device.type != "cpu" or targets.numel() == 0 or bool((targets.amin() == UNLABELED).item())


def _check_values(what: str, labels: NDArray[Any], allowed: tuple[int, ...], meaning: str) -> None:
    wrong = ~np.isin(labels, allowed)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{what}: expected {meaning}, got {labels[position]} at {position}, one of {wrong.sum()} such entries.\n"
            "Map every label to one of these before loading."
        )
