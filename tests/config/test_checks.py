"""What is wrong with the values of a configuration, told before any work starts.

How mistakes look on a command line is tested with `compose`.
"""

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from margin_bench.config.checks import mistakes_in
from margin_bench.config.sources import Sources


@pytest.fixture(scope="module")
def defaults() -> DictConfig:
    with Sources().opened():
        return Sources().compose("train", ["loss=triplet", "loss.seed=0", "dataset=digits"])


def mistakes(defaults: DictConfig, num_processes: int | None = None, **changes: Any) -> list[str]:
    """The mistakes in the defaults with other values, by dotted keys with `__` for the dot."""
    config = defaults.copy()
    for key, value in changes.items():
        OmegaConf.update(config, key.replace("__", "."), value, force_add=True)
    return mistakes_in("train", config, defaults, num_processes)


def test_the_files_of_ours_make_no_mistake(defaults: DictConfig) -> None:
    assert mistakes(defaults) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs=0: expected a number of at least 1"),
        ({"seed": -1}, "seed=-1: expected a number of at least 0 and below 9223372036854775808"),
        ({"loss__way": "rows"}, "loss.way=rows: expected one of sample, class, both, joint"),
        ({"loss__margin": "wide"}, "loss.margin=wide: expected a number of at least 0 and below 1000000"),
        ({"loss__margin": float("nan")}, "loss.margin=nan: expected a number of at least 0 and below 1000000"),
        ({"dataset__num_train": 0}, "dataset.num_train=0: expected a number of at least 1"),
        ({"loss__revision": 0}, "loss.revision=0: expected a whole number of at least 1"),
        ({"dataset__revision": "two"}, "dataset.revision=two: expected a whole number of at least 1"),
        ({"transforms__revision": True}, "transforms.revision=True: expected a whole number of at least 1"),
        ({"loss__logit_scale": 1.0}, "loss=triplet measures cosines: it needs backbone.head=cosine"),
        ({"bucket_size": 100}, "bucket_size=100 does not divide batch_size=512; nearest that do: 64 or 128"),
        ({"tracker": "mlflow"}, "tracker=mlflow: expected one of none, wandb, tensorboard"),
        ({"backbone__library": None}, "backbone._target_ is needed"),
    ],
)
def test_a_mistake_says_what_was_expected(defaults: DictConfig, changes: dict[str, Any], said: str) -> None:
    (line,) = mistakes(defaults, **changes)
    assert line.startswith(said)


def test_mistakes_of_values_are_all_told(defaults: DictConfig) -> None:
    assert len(mistakes(defaults, epochs=0, seed=-1, loss__way="rows")) == 3


def test_a_loss_may_have_any_parameter_and_it_must_be_finite(defaults: DictConfig) -> None:
    assert mistakes(defaults, loss__note=[1.0, 2.0]) == []
    assert mistakes(defaults, loss__note=[1.0, float("inf")]) == ["loss.note=[1.0, inf]: expected a finite number"]


@pytest.mark.parametrize("note", [[{"a": float("inf")}], [[{"a": [float("nan")]}]]])
def test_a_number_within_mappings_of_a_list_must_be_finite(defaults: DictConfig, note: Any) -> None:
    (line,) = mistakes(defaults, loss__note=note)
    assert line == f"loss.note={note}: expected a finite number"


@pytest.mark.parametrize("note", [{1: 2, "a": 3}, [{"a": {1: 2}}]])
def test_a_key_that_is_no_text_is_told(defaults: DictConfig, note: Any) -> None:
    (line,) = mistakes(defaults, loss__note=note)
    assert line.endswith("1: expected a key that is text; in a YAML file put it in quotes")


def test_the_number_of_processes_of_an_outer_launcher_counts(defaults: DictConfig) -> None:
    (line,) = mistakes(defaults, num_processes=3)
    assert line.startswith("batch_size=512 cannot be shared by 3 processes")


def test_what_every_loss_needs_is_asked_for(defaults: DictConfig) -> None:
    config = defaults.copy()
    OmegaConf.set_struct(config, False)
    del config.loss["_target_"]
    assert mistakes_in("train", config, defaults) == [
        "loss._target_ is needed: +loss._target_=VALUE, or a line in your YAML file"
    ]


def test_a_key_of_the_schema_that_is_not_there_is_asked_for(defaults: DictConfig) -> None:
    config = defaults.copy()
    OmegaConf.set_struct(config, False)
    del config["epochs"]
    assert mistakes_in("train", config, defaults)[0].startswith("epochs is needed: +epochs=VALUE")


def test_a_parameter_that_the_transforms_do_not_have_is_told(defaults: DictConfig) -> None:
    fast = {"transforms___target_": "margin_bench.data.fast.Fast", "transforms__image_sise": 3}
    expected = "transforms.image_sise: margin_bench.data.fast.Fast has no such parameter; did you mean image_size?"
    assert expected in mistakes(defaults, **fast)
    assert mistakes(defaults, transforms___target_="mine.Own", transforms__anything=3) == []
