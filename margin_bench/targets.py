"""Define, check and convert label matrices: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

No other module knows the numbers that stand for the three labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from margin_bench.errors import DataError

if TYPE_CHECKING:  # torch takes more than a second to import, and reading labels does without it
    import torch
    from torch import Tensor

POSITIVE, NEGATIVE, UNLABELED = 1, 0, -1

Matrix = TypeVar("Matrix", NDArray[Any], "Tensor")


def positives(targets: Matrix, dtype: torch.dtype | None = None) -> Matrix:
    """Return the mask of the positives.

    Args:
        targets: integers of any shape, a numpy array or a tensor, of POSITIVE, NEGATIVE and UNLABELED.
        dtype: None for a mask of bool. For a tensor, a float dtype makes a mask of 0 and 1, which a CPU reduces several
            times as fast.

    Returns:
        the mask, of the shape of `targets`.

    Examples:
        >>> import torch
        >>> targets = torch.tensor([[1, 0, -1]], dtype=torch.int8)
        >>> positives(targets)
        tensor([[ True, False, False]])
        >>> positives(targets, torch.float32)
        tensor([[1., 0., 0.]])
    """
    mask: Matrix = _mask(targets, POSITIVE, dtype)
    return mask


def negatives(targets: Matrix, dtype: torch.dtype | None = None) -> Matrix:
    """Return the mask of the negatives.

    Args:
        targets: as for `positives`.
        dtype: as for `positives`.

    Returns:
        the mask, of the shape of `targets`.

    Examples:
        >>> import numpy as np
        >>> negatives(np.array([[1, 0, -1]], np.int8))
        array([[False,  True, False]])
    """
    mask: Matrix = _mask(targets, NEGATIVE, dtype)
    return mask


def labeled(targets: Matrix, dtype: torch.dtype | None = None) -> Matrix:
    """Return the mask of the positives and the negatives together.

    Args:
        targets: as for `positives`.
        dtype: as for `positives`.

    Returns:
        the mask, of the shape of `targets`.

    Examples:
        >>> import numpy as np
        >>> labeled(np.array([[1, 0, -1]], np.int8))
        array([[ True,  True, False]])
    """
    mask: Matrix = _mask(targets, UNLABELED, dtype, equal=False)
    return mask


def check_targets(targets: NDArray[Any], shape: tuple[int, int] | None = None) -> None:
    """Check the label matrix of a whole data set.

    Args:
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED, if all is right.
        shape: the (N, C) to expect. None allows any.

    Raises:
        DataError: the shape, the dtype or a value is wrong; or the values look like signs, +1 and -1 without any 0.

    Examples:
        >>> import numpy as np
        >>> check_targets(np.array([[1, 0, -1]], np.int8), shape=(1, 3))
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
    """Convert signs to a label matrix: +1 becomes POSITIVE, -1 NEGATIVE and 0 UNLABELED.

    Args:
        signs: +1, -1 and 0 of any dtype but bool, (N, C).

    Returns:
        int8 (N, C).

    Raises:
        DataError: the signs are bool, or hold another value.

    Examples:
        >>> import numpy as np
        >>> from_signs(np.array([[1, -1, 0]]))
        array([[ 1,  0, -1]], dtype=int8)
    """
    if signs.dtype == np.bool_:
        raise DataError(
            "Signs: expected +1 (positive), -1 (negative) and 0 (unlabeled), got bool.\n"
            "Convert bool with margin_bench.targets.from_multi_hot."
        )
    _check_values("Signs", signs, (1, -1, 0), "+1 (positive), -1 (negative) and 0 (unlabeled)")
    return np.select([signs > 0, signs < 0], [np.int8(POSITIVE), np.int8(NEGATIVE)], default=np.int8(UNLABELED))


def from_multi_hot(multi_hot: NDArray[Any]) -> NDArray[np.int8]:
    """Convert multi-hot labels to a label matrix: True or 1 becomes POSITIVE, False or 0 NEGATIVE.

    Args:
        multi_hot: bool, or 0 and 1 of any dtype, (N, C).

    Returns:
        int8 (N, C).

    Raises:
        DataError: the labels hold another value.

    Examples:
        >>> import numpy as np
        >>> from_multi_hot(np.array([[True, False]]))
        array([[1, 0]], dtype=int8)
    """
    _check_values("Multi-hot labels", multi_hot, (1, 0), "1 (positive) and 0 (negative)")
    return np.where(multi_hot, np.int8(POSITIVE), np.int8(NEGATIVE))


def from_indices(indices: Sequence[Sequence[int]], num_classes: int) -> NDArray[np.int8]:
    """Convert lists of class indices to a label matrix: the listed classes become POSITIVE, all others NEGATIVE.

    Args:
        indices: the positive classes of each of N samples, numbered from 0.
        num_classes: C.

    Returns:
        int8 (N, C).

    Raises:
        DataError: an index lies outside 0 .. num_classes - 1.

    Examples:
        >>> from_indices([[0, 2], []], num_classes=3)
        array([[1, 0, 1],
               [0, 0, 0]], dtype=int8)
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
    """Count the positives and the negatives of each class.

    Args:
        targets: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        int64 (2, C), the positives in the first row and the negatives in the second.

    Examples:
        >>> import numpy as np
        >>> class_frequencies(np.array([[1, 0, -1], [1, 1, 0]], np.int8))
        array([[2, 1, 0],
               [0, 1, 1]])
    """
    return np.stack([positives(targets).sum(axis=0), negatives(targets).sum(axis=0)])


def check_bucket(logits: Tensor, targets: Tensor) -> None:
    """Check the dtype and the shape of what a loss is given, but no value, as that would wait for a GPU.

    Args:
        logits: float (M, C).
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED; wider integers will do.

    Raises:
        TypeError: the logits are not float, or the targets are bool, float or complex.
        ValueError: the shapes differ, or are not (M, C).

    Examples:
        >>> import torch
        >>> check_bucket(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int8))
        >>> check_bucket(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int8))
        Traceback (most recent call last):
            ...
        TypeError: Logits: expected float, got torch.int64. Give the output of the model as it is.
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
    """Return False if a bucket is known to hold no unlabeled entry.

    Args:
        targets: int8 (M, C) of POSITIVE, NEGATIVE and UNLABELED.

    Returns:
        the answer for a bucket on a CPU. On a GPU always True, as a look at the entries would wait for it.

    Examples:
        >>> import torch
        >>> may_hold_unlabeled(torch.tensor([[1, 0]], dtype=torch.int8))
        False
    """
    return targets.device.type != "cpu" or targets.numel() == 0 or bool((targets.amin() == UNLABELED).item())


def _mask(targets: Any, label: int, dtype: torch.dtype | None, *, equal: bool = True) -> Any:
    """Return the mask of a label, or of all others. A float copy compared in place is made faster than from bools."""
    if dtype is None:
        return targets == label if equal else targets != label
    copy = targets.to(dtype, copy=True)
    return copy.eq_(label) if equal else copy.ne_(label)


def _check_values(what: str, labels: NDArray[Any], allowed: tuple[int, ...], meaning: str) -> None:
    wrong = ~np.isin(labels, allowed)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{what}: expected {meaning}, got {labels[position]} at {position}, one of {wrong.sum()} such entries.\n"
            "Map every label to one of these before loading."
        )
