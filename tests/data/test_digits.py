"""The embedded data set: its bytes, its classes, its cache."""

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import timm
from omegaconf import OmegaConf
from safetensors.torch import load_file

import margin_bench
from margin_bench.data import digits
from margin_bench.errors import DataError
from margin_bench.targets import NEGATIVE, POSITIVE

PACKAGE = Path(margin_bench.__file__).parent


@pytest.fixture(scope="module")
def full():
    """Images and targets of both splits at the size that the configuration names."""
    return {"train": digits.generate("train", 8000), "test": digits.generate("test", 4000)}


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_a_few_scenes_have_the_same_bytes_everywhere():
    images, targets = digits.generate("train", 32)
    assert sha256(images) == "935e3a3774cf393a207d4aace084c3f95c3aac6be0a61dad4260b03e20d3b28a"
    assert sha256(targets) == "489319b46665b19593f73dd5305396e6311f127b46e47a9955450acbee7f986f"


def test_all_scenes_have_the_same_bytes_everywhere(full):
    assert [sha256(array) for array in full["train"]] == [
        "aeca2fb77e9ae96b9104b74d6ec44d4124cba1f3c0482706656de25874d00332",
        "7211c207a429eb4f2de9d778546f7d85a85f7f8d0616daeef92f291f05c40948",
    ]
    assert [sha256(array) for array in full["test"]] == [
        "3745b2cd4273de13df01fbc635bbd88430aaaf1d42ad6c028f9367f130d1aaa2",
        "f6545aa224611d34a25064bdfeeaa3d68c5af9ed7e0c2c5b5aa62a34a4680224",
    ]


def test_images_and_targets_have_the_documented_types(full):
    for split, num_scenes in (("train", 8000), ("test", 4000)):
        images, targets = full[split]
        assert (images.shape, images.dtype) == ((num_scenes, 64, 64, 3), np.uint8)
        assert (targets.shape, targets.dtype) == ((num_scenes, 80), np.int8)
        assert set(np.unique(targets)) == {POSITIVE, NEGATIVE}


def test_labels_have_the_documented_distribution(full):
    for _, targets in full.values():
        positives = targets == POSITIVE
        frequency = np.sort(positives.mean(axis=0))
        assert 2.8 < positives.sum(axis=1).mean() < 3.0
        assert frequency[0] > 0.008  # every class has positives ...
        assert frequency[-1] > 15 * frequency[0]  # ... and the tail is long


def test_classes_of_a_theme_occur_together(full):
    """The ratio of seen to expected joint occurrences, were classes independent, is 1. `orange 7` leads a theme."""
    positives = full["train"][1] == POSITIVE
    frequency = positives.mean(axis=0)
    leader = digits.CLASS_NAMES.index("orange 7")
    lift = positives[positives[:, leader]].mean(axis=0) / frequency
    assert lift[digits.CLASS_NAMES.index("cyan 1")] > 2
    assert lift[digits.CLASS_NAMES.index("green 0")] < 1


def test_a_class_is_named_by_colour_and_digit():
    assert len(set(digits.CLASS_NAMES)) == 80
    assert digits.CLASS_NAMES[0] == "red 0"
    assert digits.CLASS_NAMES[79] == "pink 9"


def test_no_glyph_is_in_both_splits():
    train, test = (
        {glyph.tobytes() for glyphs in digits.load_glyphs(split) for glyph in glyphs} for split in ("train", "test")
    )
    assert len(train) + len(test) == 1797
    assert not train & test


def test_fewer_scenes_are_the_first_of_more(full):
    images, targets = digits.generate("test", 5)
    np.testing.assert_array_equal(images, full["test"][0][:5])
    np.testing.assert_array_equal(targets, full["test"][1][:5])


def test_a_painted_object_shows_its_colour():
    """The brightest pixel of a red object on its scene is far more red than blue, and the reverse."""
    glyphs = digits.load_glyphs("train")
    for colour, channel, other in (("red", 0, 2), ("blue", 2, 0)):
        index = list(digits.PALETTE).index(colour)
        scene, empty = (
            digits.compose(objects, [[glyphs[8][0]]] * 10, digits.RandomIntegers(7)) for objects in ([(index, 8)], [])
        )
        painted = scene[np.abs(scene - empty).sum(axis=2) > 60]
        assert len(painted) > 30
        assert painted[:, channel].mean() > painted[:, other].mean() + 50


def test_load_gives_the_split_that_was_asked_for(tmp_path):
    train = digits.load("train", tmp_path, num_train=6, num_test=3)
    test = digits.load("test", tmp_path, num_train=6, num_test=3)
    np.testing.assert_array_equal(train.images, digits.generate("train", 6)[0])
    np.testing.assert_array_equal(test.targets, digits.generate("test", 3)[1])
    assert test.class_names == digits.CLASS_NAMES


def test_a_second_load_reads_the_cache(tmp_path, monkeypatch):
    first = digits.load("train", tmp_path, num_train=4, num_test=1)
    monkeypatch.delattr(digits, "generate")
    second = digits.load("train", tmp_path, num_train=4, num_test=1)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.targets, second.targets)


def empty(content):
    return b""


def cut(content):
    return content[:-1]


def flip_a_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [empty, cut, flip_a_bit])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    good = digits.load("train", tmp_path, num_train=4, num_test=1)
    (file,) = tmp_path.glob("*.bin")
    file.write_bytes(damage(file.read_bytes()))
    again = digits.load("train", tmp_path, num_train=4, num_test=1)
    np.testing.assert_array_equal(good.images, again.images)
    np.testing.assert_array_equal(good.targets, again.targets)


def test_processes_that_start_at_once_share_one_cache(tmp_path):
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        splits = [pool.submit(digits.load, "test", tmp_path, 1, 200) for _ in range(3)]
    expected = digits.generate("test", 200)[0]
    for split in splits:
        np.testing.assert_array_equal(split.result().images, expected)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".bin", ".lock"}


def test_a_write_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def fail(path, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(DataError, match="no space left on device"):
        digits.load("train", tmp_path, num_train=2, num_test=1)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


def test_a_root_that_is_no_folder_is_an_error(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataError, match=r"folder that can be read and written(.|\n)*dataset\.root"):
        digits.load("train", file, num_train=2, num_test=1)


def test_no_scenes_are_an_error(tmp_path):
    with pytest.raises(DataError, match="at least one train scene, got 0"):
        digits.load("train", tmp_path, num_train=0, num_test=1)


def test_the_shipped_weights_fit_the_configured_backbone():
    backbone = OmegaConf.load(PACKAGE.parent / "configs/backbone/digits.yaml")
    path = PACKAGE / "weights/digits.safetensors"
    model = timm.create_model(backbone.name, num_classes=0, **backbone.options)
    model.load_state_dict(load_file(path), strict=True)
    assert path.stat().st_size < 2e6
