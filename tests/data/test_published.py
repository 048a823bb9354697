"""What all published data sets have in common: they are read as they were written, and train through the command."""

import dataclasses

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from margin_bench.cli import main
from margin_bench.config.build import build
from margin_bench.config.sources import configs_dir, register_resolvers
from margin_bench.data.split import ImageFiles
from margin_bench.runs.parts import load_splits
from tests.helpers import made
from tests.helpers.tiny_run import read_record

formats = pytest.mark.parametrize("name", list(made.FORMATS))


def dataset(overrides):
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        return compose("train", list(overrides)).dataset


@formats
def test_a_data_set_is_read_as_it_was_written(tmp_path, name):
    written = made.FORMATS[name](tmp_path)
    splits = dict(zip(("train", "test"), load_splits(dataset(written.overrides), holdout=0.0), strict=True))
    for split_name, split in splits.items():
        assert split.class_names == written.class_names
        np.testing.assert_array_equal(split.targets, written.targets[split_name])
        assert split.targets.dtype == np.int8
        assert split.faults == ()
        assert isinstance(split.images, ImageFiles)
        assert all(path.is_relative_to(tmp_path) and path.is_file() for path in split.images)


@formats
def test_a_data_set_read_again_from_its_index_is_the_same(tmp_path, name):
    config = dataset(made.FORMATS[name](tmp_path).overrides)
    first, again = build(config, split="train"), build(config, split="train")
    for field in dataclasses.fields(first):
        if field.name != "images":
            np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    assert list(first.images) == list(again.images)


@formats
def test_samples_without_a_positive_can_be_kept(tmp_path, name):
    written = made.FORMATS[name](tmp_path, num_samples=24)
    kept = build(dataset([*written.overrides, "dataset.keep_empty=true"]), split="train")
    assert len(kept) == 24
    assert len(written.targets["train"]) == (24 if name in ("voc2007", "voc2012", "vispr") else 23)


@formats
def test_a_folder_that_is_not_the_data_set_is_named(tmp_path, name, capsys):
    assert main(["train", f"dataset={name}", f"dataset.root={tmp_path}", f"runs_dir={tmp_path}/runs"]) == 3
    message = capsys.readouterr().err
    assert str(tmp_path) in message
    assert "dataset.root=DIR" in message
    assert len(message.splitlines()) <= 3


@formats
def test_a_data_set_trains(tmp_path, name):
    written = made.FORMATS[name](tmp_path / "data", num_samples=24)
    sizes = [
        "epochs=1",
        "batch_size=16",
        "bucket_size=16",
        "microbatch_size=8",
        "workers=0",
        "transforms.image_size=32",
    ]
    backbone = ["backbone=timm", "backbone.name=test_resnet", "backbone.pretrained=false"]
    assert main(["train", *written.overrides, *sizes, *backbone, f"runs_dir={tmp_path / 'runs'}"]) == 0
    facts = read_record(tmp_path / "runs")["dataset"]
    assert facts["num_train"] == len(written.targets["train"])
    assert facts["class_names"] == list(written.class_names)
