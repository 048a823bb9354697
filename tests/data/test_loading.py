"""Batches: their order, their augmentation, and what becomes of workers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from margin_bench.data import loading
from margin_bench.data.loading import IMAGENET_MEAN, IMAGENET_STD, BatchLoader, TrainSampler
from margin_bench.data.split import Split
from margin_bench.errors import DataError, RunError
from margin_bench.runtime.hardware import usable_cores
from margin_bench.runtime.signals import stop_request
from tests.helpers.tiny_run import wait_until

NUM_SAMPLES = 23


def noisy(image: Any, rng: np.random.Generator | None) -> torch.Tensor:
    """A transform for arrays and images: adds noise to the pixels in training."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return pixels if rng is None else pixels + torch.from_numpy(rng.integers(0, 256, pixels.shape, dtype=np.uint8))


@pytest.fixture
def split() -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_SAMPLES, 4, 5, 3), dtype=np.uint8)
    return Split(images, rng.integers(-1, 2, (NUM_SAMPLES, 6), dtype=np.int8), tuple("abcdef"))


@pytest.fixture
def split_of_files(split: Split, tmp_path: Path) -> Split:
    paths = [tmp_path / f"{'long ' * i}{i} \u00fc.png" for i in range(NUM_SAMPLES)]
    for path, image in zip(paths, split.images, strict=True):
        Image.fromarray(image).save(path)
    return Split(paths, split.targets, split.class_names)


def sampler(
    batch_size: int = 8, microbatch_size: int = 2, rank: int = 0, world_size: int = 1, fixed_order: bool = False
) -> TrainSampler:
    return TrainSampler(
        num_samples=NUM_SAMPLES,
        seed=3,
        batch_size=batch_size,
        microbatch_size=microbatch_size,
        rank=rank,
        world_size=world_size,
        fixed_order=fixed_order,
    )


def train_loader(split: Split, of: TrainSampler, workers: int = 0) -> BatchLoader:
    return loading.train_loader(split, noisy, of, workers=workers, pin_memory=False)


def loader_for_test(
    split: Split, *, batch_size: int = 4, rank: int = 0, world_size: int = 1, workers: int = 0
) -> BatchLoader:
    return loading.test_loader(
        split, noisy, batch_size=batch_size, rank=rank, world_size=world_size, workers=workers, pin_memory=False
    )


def worker_ids() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid]


def joined(batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    images, targets = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(targets)


def assert_equal(ours: tuple[torch.Tensor, torch.Tensor], expected: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert all(map(torch.equal, ours, expected))


@given(seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6), num_samples=st.integers(0, 300))
def test_every_epoch_is_a_permutation(seed: int, epoch: int, num_samples: int) -> None:
    order = loading.epoch_order(seed, epoch, num_samples)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(num_samples))


def test_orders_differ_between_epochs_and_between_seeds() -> None:
    orders = {tuple(loading.epoch_order(seed, epoch, 20)) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_generators_differ_between_seeds_epochs_and_indices() -> None:
    draws = {loading.sample_rng(*key).integers(2**63) for key in np.ndindex(5, 5, 5)}
    assert len(draws) == 125


@pytest.mark.parametrize(("num_samples", "expected"), [(7, 1), (8, 1), (15, 1), (16, 2)])
def test_the_partial_batch_is_no_step_unless_it_is_all_there_is(num_samples: int, expected: int) -> None:
    assert loading.num_steps(num_samples, batch_size=8) == expected


@given(num_samples=st.integers(0, 1000), world_size=st.integers(1, 9))
def test_the_shares_of_all_ranks_are_the_whole(num_samples: int, world_size: int) -> None:
    shares = [loading.rank_share(num_samples, rank, world_size) for rank in range(world_size)]
    assert [index for share in shares for index in share] == list(range(num_samples))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_rank_gets_its_contiguous_rows_of_each_batch_in_microbatches() -> None:
    """Batches of 8 over 2 ranks: rank 1 has rows 4 to 7 and 12 to 15 of the order, two at a time."""
    of = sampler(rank=1, world_size=2)
    of.start_at(epoch=5)
    order = loading.epoch_order(3, 5, NUM_SAMPLES)
    expected = [order[4:6], order[6:8], order[12:14], order[14:16]]
    np.testing.assert_array_equal([rows.indices for rows in of], expected)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_the_length_is_the_number_of_microbatches_left(step: int, world_size: int) -> None:
    of = sampler(rank=world_size - 1, world_size=world_size)
    of.start_at(epoch=0, step=step)
    loader = train_loader(
        Split(np.zeros((NUM_SAMPLES, 1, 1, 3), np.uint8), np.zeros((NUM_SAMPLES, 1), np.int8), ("a",)), of
    )
    assert len(list(of)) == len(of) == len(loader) == (2 - step) * 4 // world_size


def test_a_batch_larger_than_the_data_is_filled_by_going_round_augmented_anew(split: Split) -> None:
    """Two rounds of 23 samples and two samples of a third make 48 rows."""
    of = sampler(batch_size=48)
    images, targets = joined(train_loader(split, of))
    rows = np.concatenate([rows.indices for rows in of])
    assert sorted(rows[:46] % NUM_SAMPLES) == sorted([*range(NUM_SAMPLES)] * 2)
    assert len(rows) == len(images) == 48
    assert torch.equal(targets, torch.from_numpy(split.targets[rows % NUM_SAMPLES]))
    assert torch.equal(targets[:NUM_SAMPLES], targets[NUM_SAMPLES : 2 * NUM_SAMPLES])
    assert not torch.equal(images[:NUM_SAMPLES], images[NUM_SAMPLES : 2 * NUM_SAMPLES])


def test_a_microbatch_that_does_not_divide_the_rows_of_a_rank_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        sampler(batch_size=8, microbatch_size=3)


def test_with_a_fixed_order_every_epoch_has_the_rows_of_the_first_augmented_anew() -> None:
    of = sampler(fixed_order=True)
    first = list(of)
    of.start_at(epoch=5)
    later = list(of)
    assert all(np.array_equal(a.indices, b.indices) for a, b in zip(first, later, strict=True))
    assert all(rows.seed_and_epoch == (3, 5) for rows in later)


def test_images_come_with_their_targets(split: Split) -> None:
    images, targets = joined(loader_for_test(split))
    assert (images.shape, images.dtype) == ((NUM_SAMPLES, 3, 4, 5), torch.uint8)
    assert torch.equal(images, torch.from_numpy(split.images).permute(0, 3, 1, 2))
    assert targets.dtype == torch.int8
    assert torch.equal(targets, torch.from_numpy(split.targets))


def test_augmentation_depends_on_the_epoch(split: Split) -> None:
    def images_by_index(epoch: int) -> dict[int, bytes]:
        of = sampler()
        of.start_at(epoch)
        images, _ = joined(train_loader(split, of))
        indices = np.concatenate([rows.indices for rows in of])
        return {int(index): image.numpy().tobytes() for index, image in zip(indices, images, strict=True)}

    first, again, next_epoch = images_by_index(1), images_by_index(1), images_by_index(2)
    assert first == again
    assert all(first[index] != next_epoch[index] for index in first.keys() & next_epoch.keys())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_bit(split: Split, workers: int) -> None:
    alone, with_workers = (sampler(), sampler())
    one, many = train_loader(split, alone), train_loader(split, with_workers, workers)
    for epoch in range(3):
        alone.start_at(epoch)
        with_workers.start_at(epoch)
        assert_equal(joined(many), joined(one))


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_rows_of_all_ranks_are_the_batches_of_one_process(split: Split, world_size: int) -> None:
    one = list(train_loader(split, sampler(microbatch_size=8)))
    per_rank = [
        list(train_loader(split, sampler(microbatch_size=8 // world_size, rank=rank, world_size=world_size)))
        for rank in range(world_size)
    ]
    assert len(one) == 2
    for batch, parts in zip(one, zip(*per_rank, strict=True), strict=True):
        assert_equal(joined(parts), batch)


def test_the_microbatch_size_changes_no_bit(split: Split) -> None:
    assert_equal(joined(train_loader(split, sampler(microbatch_size=1))), joined(train_loader(split, sampler())))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("step", [0, 1])
def test_a_start_in_mid_epoch_goes_on_as_if_never_stopped(split: Split, step: int, workers: int) -> None:
    whole, resumed = sampler(), sampler()
    whole.start_at(epoch=4)
    resumed.start_at(epoch=4, step=step)
    batches = list(train_loader(split, whole))
    assert_equal(joined(train_loader(split, resumed, workers)), joined(batches[step * 4 :]))


def test_an_epoch_left_early_does_not_leak_into_the_next(split: Split) -> None:
    of = sampler()
    loader = train_loader(split, of, workers=2)
    next(iter(loader))
    of.start_at(epoch=1)
    expected = sampler()
    expected.start_at(epoch=1)
    assert_equal(joined(loader), joined(train_loader(split, expected)))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 30])
def test_each_test_image_comes_exactly_once(split: Split, world_size: int, workers: int) -> None:
    loaders = [loader_for_test(split, rank=rank, world_size=world_size, workers=workers) for rank in range(world_size)]
    batches = [batch for loader in loaders for batch in loader]
    assert sum(map(len, loaders)) == len(batches)
    images, targets = joined(batches)
    assert torch.equal(images, torch.from_numpy(split.images).permute(0, 3, 1, 2))
    assert torch.equal(targets, torch.from_numpy(split.targets))


@pytest.mark.parametrize("workers", [0, 2])
def test_files_give_the_same_as_arrays(split: Split, split_of_files: Split, workers: int) -> None:
    assert_equal(joined(train_loader(split_of_files, sampler(), workers)), joined(train_loader(split, sampler())))


def test_boxes_cut_the_files(split: Split, split_of_files: Split) -> None:
    boxes = np.tile(np.array([1, 0, 4, 3], np.float32), (NUM_SAMPLES, 1))
    images, _ = joined(loader_for_test(replace(split_of_files, boxes=boxes)))
    assert torch.equal(images, torch.from_numpy(np.asarray(split.images)[:, 0:3, 1:4]).permute(0, 3, 1, 2))


def test_the_same_workers_serve_all_epochs(split: Split) -> None:
    loader = loader_for_test(split, workers=2)
    list(loader)
    workers = set(worker_ids())
    list(loader)
    assert set(worker_ids()) == workers
    assert len(workers) == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_generators_are_left_alone(split: Split, workers: int) -> None:
    torch_before, numpy_before = torch.random.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    list(train_loader(split, sampler(), workers))
    list(loader_for_test(split, workers=workers))
    assert torch.equal(torch.random.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_before)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_raises_its_own_plain_error(split_of_files: Split, workers: int) -> None:
    broken = split_of_files.images[13]
    broken.write_bytes(b"<html>")
    with pytest.raises(DataError) as error:
        list(loader_for_test(split_of_files, workers=workers))
    assert str(error.value).startswith(f"Cannot read the image {str(broken)!r}")
    assert len(str(error.value).splitlines()) <= 3


def slow(image: Any, rng: np.random.Generator | None) -> torch.Tensor:
    """As slow as reading a photograph: a worker that dies in between holds no lock."""
    time.sleep(0.02)
    return noisy(image, rng)


def test_a_killed_worker_is_named_with_its_signal(split: Split) -> None:
    of_other_tests = set(worker_ids())
    loader = loading.test_loader(split, slow, batch_size=1, rank=0, world_size=1, workers=2, pin_memory=False)
    batches = iter(loader)
    next(batches)
    os.kill((set(worker_ids()) - of_other_tests).pop(), signal.SIGKILL)
    with pytest.raises(RunError, match="worker was killed by SIGKILL") as error:
        list(batches)
    assert len(str(error.value).splitlines()) <= 3
    assert error.value.__suppress_context__


def test_interrupt_and_preemption_are_left_to_the_main_process(split: Split) -> None:
    batches = iter(loader_for_test(split, batch_size=1, workers=2))
    received = [next(batches) for _ in range(4)]  # so both workers have started
    for worker in worker_ids():
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGTERM)
    received.extend(batches)
    assert len(received) == NUM_SAMPLES


def stuck(image: Any, rng: np.random.Generator | None) -> torch.Tensor:
    """As long as reading from a storage that does not answer."""
    time.sleep(600)
    return noisy(image, rng)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_that_do_not_come_are_named(split_of_files: Split, workers: int) -> None:
    of_other_tests = set(worker_ids())
    loader = loading.test_loader(
        split_of_files, stuck, batch_size=4, rank=0, world_size=1, workers=workers, pin_memory=False
    )
    with stop_request(timeout=0.5) as stop, pytest.raises(RunError) as error, stop.waiting():
        next(iter(loader))
    first, last = (repr(str(split_of_files.images[number])) for number in (0, 3))
    assert f"no batch was read for 0.5 s: the next of 4 images, from {first} to {last}, did not come" in str(
        error.value
    )
    assert "loader_timeout=SECONDS" in str(error.value)
    wait_until(lambda: set(worker_ids()) == of_other_tests)


def test_a_worker_that_dies_while_the_next_epoch_starts_is_named(split: Split) -> None:
    of_other_tests = set(worker_ids())
    loader = loader_for_test(split, workers=2)
    list(loader)
    for worker in set(worker_ids()) - of_other_tests:
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(RunError, match="worker was killed by SIGKILL"):
        list(loader)


ENDS_WITH_AN_ERROR = """
import numpy as np, torch
from margin_bench.data import loading
from margin_bench.data.split import Split
split = Split(np.zeros((9, 1, 1, 3), np.uint8), np.zeros((9, 1), np.int8), ("a",))
loader = loading.test_loader(
    split, lambda image, rng: torch.from_numpy(image), batch_size=1, rank=0, world_size=1, workers=2, pin_memory=False
)
for batch in loader:
    raise SystemExit(7)
"""


def test_workers_do_not_keep_an_ending_process_alive() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS_WITH_AN_ERROR], capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "")


STARTS_AND_WAITS = """
import multiprocessing, time
import numpy as np, torch
from margin_bench.data import loading
from margin_bench.data.split import Split

def transform(image, rng):
    time.sleep(600)

split = Split(np.zeros((9, 1, 1, 3), np.uint8), np.zeros((9, 1), np.int8), ("a",))
loader = loading.test_loader(split, transform, batch_size=1, rank=0, world_size=1, workers=3, pin_memory=False)
batches = loader._started()
print(*(worker.pid for worker in loader._workers), flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the processes as Linux does")
def test_workers_end_with_their_parent_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_AND_WAITS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 3
        parent.kill()
    wait_until(lambda: not any(map(is_running, workers)))


HAS_A_CHILD_OF_ITS_OWN = """
import multiprocessing, multiprocessing.util, time
import margin_bench.data.loading

def end():
    child.join()
    print(child.exitcode, flush=True)

child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.5,), daemon=True)
child.start()
multiprocessing.util.Finalize(None, end, exitpriority=100)  # comes after our hook, and before daemons are ended
"""


def test_children_of_a_host_program_are_not_ours_to_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HAS_A_CHILD_OF_ITS_OWN], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout == "0\n"


def test_normalise_brings_bytes_to_the_statistics_of_imagenet() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    normalised = loading.normalise(images)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised, (images / 255 - mean) / std)


def test_normalised_images_pass_as_they_are() -> None:
    images = torch.randn(2, 3, 4, 5)
    assert loading.normalise(images) is images


def test_images_of_another_dtype_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 or float32 from the transform, got torch\.float64"):
        loading.normalise(torch.zeros(1, 3, 2, 2, dtype=torch.float64))


def test_more_workers_than_cores_are_no_warning(split):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        one_more = usable_cores() + 1
        loader = loading.test_loader(
            split, noisy, batch_size=4, rank=0, world_size=1, workers=one_more, pin_memory=False
        )
        assert sum(len(targets) for _, targets in loader) == NUM_SAMPLES
    assert not told
