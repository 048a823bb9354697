"""Label matrices: the conventions that are accepted, converted and refused."""

import numpy as np
import pytest
import torch

from margin_bench.errors import DataError
from margin_bench.targets import (
    NEGATIVE,
    POSITIVE,
    UNLABELED,
    check_bucket,
    check_targets,
    class_frequencies,
    from_indices,
    from_multi_hot,
    from_signs,
    labeled,
    may_hold_unlabeled,
    negatives,
    positives,
)

TARGETS = np.array([[POSITIVE, NEGATIVE, UNLABELED], [NEGATIVE, POSITIVE, POSITIVE]], np.int8)


def test_class_frequencies_count_positives_and_negatives_of_each_class():
    assert class_frequencies(TARGETS).tolist() == [[1, 1, 1], [1, 1, 0]]


def test_masks_leave_out_the_unlabeled():
    assert positives(TARGETS).tolist() == [[True, False, False], [False, True, True]]
    assert negatives(TARGETS).tolist() == [[False, True, False], [True, False, False]]


def test_the_labeled_are_the_positives_and_the_negatives():
    assert labeled(TARGETS).tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("mask_of", [positives, negatives, labeled])
def test_masks_of_tensors_are_tensors(mask_of):
    assert torch.equal(mask_of(torch.from_numpy(TARGETS)), torch.from_numpy(mask_of(TARGETS)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mask_of", [positives, negatives, labeled])
def test_a_float_mask_holds_ones_and_zeros(mask_of, dtype):
    mask = mask_of(torch.from_numpy(TARGETS), dtype)
    assert mask.dtype == dtype
    assert mask.tolist() == mask_of(TARGETS).astype(float).tolist()


def test_a_float_mask_leaves_targets_of_its_own_dtype_alone():
    targets = torch.from_numpy(TARGETS).float()
    negatives(targets, torch.float32)
    assert torch.equal(targets, torch.from_numpy(TARGETS).float())


def test_a_bucket_on_a_cpu_is_searched_for_unlabeled_entries():
    targets = torch.from_numpy(TARGETS)
    assert may_hold_unlabeled(targets)
    assert not may_hold_unlabeled(targets[1:])
    assert may_hold_unlabeled(targets[:0])


def test_a_bucket_elsewhere_may_always_hold_an_unlabeled_entry():
    assert may_hold_unlabeled(torch.zeros(2, 3, dtype=torch.int8, device="meta"))


@pytest.mark.parametrize("labels", [(POSITIVE, NEGATIVE), (POSITIVE, NEGATIVE, UNLABELED), (NEGATIVE, UNLABELED)])
def test_a_matrix_of_the_three_labels_passes(labels):
    check_targets(np.resize(np.array(labels, np.int8), (4, 3)), shape=(4, 3))


def test_a_matrix_of_positives_alone_passes():
    check_targets(np.full((2, 2), POSITIVE, np.int8))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (TARGETS[0], r"expected a matrix of \(samples, classes\), got \(3,\)"),
        (TARGETS.astype(bool), "got bool(.|\n)*from_multi_hot"),
        (TARGETS * 0.5, "expected int8(.|\n)*got float64"),
        (TARGETS.astype(np.int64), "expected int8(.|\n)*got int64"),
        (np.array([[0.5, 1.0]]), "got float64(.|\n)*a label between 0 and 1 must become one of the three"),
        (np.array([2, 0]), "expected a matrix(.|\n)*from_indices"),
        ([[0, 2], [1]], "got list(.|\n)*from_indices"),
        (TARGETS + np.int8(1), r"got 2 at \(0, 0\), one of 3 such entries"),
        (np.array([[1, -1], [-1, 1]], np.int8), "without any 0(.|\n)*from_signs"),
    ],
)
def test_a_wrong_matrix_is_refused_with_what_to_change(targets, message):
    with pytest.raises(DataError, match=message) as error:
        check_targets(targets)
    assert str(error.value).count("\n") <= 2


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(DataError, match=r"expected a matrix of \(2, 4\), got \(2, 3\)"):
        check_targets(TARGETS, shape=(2, 4))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32])
def test_signs_become_labels(dtype):
    targets = from_signs(np.array([[1, -1, 0]], dtype))
    assert targets.dtype == np.int8
    assert targets.tolist() == [[POSITIVE, NEGATIVE, UNLABELED]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float64])
def test_multi_hot_rows_become_labels(dtype):
    targets = from_multi_hot(np.array([[1, 0], [0, 0]], dtype))
    assert targets.dtype == np.int8
    assert targets.tolist() == [[POSITIVE, NEGATIVE], [NEGATIVE, NEGATIVE]]


def test_indices_become_labels():
    targets = from_indices([[0, 2], [], [1]], num_classes=3)
    assert targets.dtype == np.int8
    assert targets.tolist() == [
        [POSITIVE, NEGATIVE, POSITIVE],
        [NEGATIVE, NEGATIVE, NEGATIVE],
        [NEGATIVE, POSITIVE, NEGATIVE],
    ]


@pytest.mark.parametrize(
    ("convert", "labels", "message"),
    [
        (from_signs, np.array([[1, 2]]), r"Signs: .* got 2 at \(0, 1\)"),
        (from_signs, np.array([[True, False]]), "got bool(.|\n)*from_multi_hot"),
        (from_multi_hot, np.array([[0, 0.5]]), r"got 0.5 at \(0, 1\)"),
        (from_multi_hot, np.array([[1, -1]]), r"got -1 at \(0, 1\)"),
        (from_multi_hot, np.array([[1, np.nan]]), "got nan"),
        (lambda indices: from_indices(indices, num_classes=3), [[0], [3]], "expected 0 to 2, got 3 at sample 1"),
        (lambda indices: from_indices(indices, num_classes=3), [[-1]], "got -1 at sample 0"),
    ],
)
def test_what_cannot_be_converted_is_refused(convert, labels, message):
    with pytest.raises(DataError, match=message):
        convert(labels)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.uint8])
def test_a_bucket_of_logits_and_integers_passes(dtype):
    check_bucket(torch.zeros(2, 3), torch.zeros(2, 3, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.complex64])
def test_a_bucket_refuses_targets_that_are_no_integers(dtype):
    with pytest.raises(TypeError, match=f"Targets: expected integers(.|\n)*got {dtype}"):
        check_bucket(torch.zeros(2, 3), torch.zeros(2, 3, dtype=dtype))


def test_a_bucket_refuses_logits_that_are_not_float():
    with pytest.raises(TypeError, match=r"Logits: expected float, got torch\.int64"):
        check_bucket(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int8))


@pytest.mark.parametrize(("logits", "targets"), [((2, 3), (3, 2)), ((2, 3), (2,)), ((6,), (6,)), ((2, 3), (1, 3))])
def test_a_bucket_refuses_shapes_that_differ(logits, targets):
    with pytest.raises(ValueError, match=r"one shape(.|\n)*from_indices"):
        check_bucket(torch.zeros(logits), torch.zeros(targets, dtype=torch.int8))
