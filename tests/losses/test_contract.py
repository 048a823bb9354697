"""The rules that every loss of `configs/loss` keeps, in every way. A loss that is added there is tested by itself."""

import importlib
from functools import lru_cache

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from margin_bench.config.build import arguments_of, build, takes
from margin_bench.config.sources import configs_dir, register_resolvers
from margin_bench.runtime.world import World
from margin_bench.targets import NEGATIVE, POSITIVE, UNLABELED
from margin_bench.training.buckets import BatchLayout, backward_batch
from margin_bench.training.exchange import GradientExchange
from tests.helpers.loops import WAYS, loss_and_gradient, random_bucket

# Frames for losses of the user's own, which hold no loss themselves.
FRAMES = {"criterion", "own"}
NAMES = sorted({path.stem for path in (configs_dir() / "loss").glob("*.yaml")} - FRAMES)
# Their weights are constants for the gradient, as published, so that it is not the slope of the value; see their tests.
CONSTANT_WEIGHTS = {"circle"}
CLASS_FREQUENCIES = torch.tensor([[50, 10, 25, 20, 5, 40], [50, 90, 75, 20, 95, 60]])


@lru_cache
def group(name):
    """Return the group `loss` of a configuration with `loss=name`."""
    register_resolvers()
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        config = compose("train", [f"loss={name}"])
    return OmegaConf.to_container(config, resolve=True)["loss"]


def is_relative(name):
    return "way" in group(name)


def parameters(name, class_frequencies=CLASS_FREQUENCIES):
    values = {key: value for key, value in arguments_of(group(name)).items() if key != "way"}
    if takes(group(name), "class_frequencies"):
        values["class_frequencies"] = class_frequencies
    return values


def make(name, way, class_frequencies=CLASS_FREQUENCIES):
    more = parameters(name, class_frequencies) | ({"way": way} if is_relative(name) else {})
    return build({"_target_": group(name)["_target_"]}, **more)


RELATIVE = [name for name in NAMES if is_relative(name)]
CASES = [(name, way) for name in NAMES for way in (WAYS if is_relative(name) else [None])]

every_case = pytest.mark.parametrize(("name", "way"), CASES)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_can_tell_about_it(name):
    assert group(name)["name"] == name
    assert set(group(name)["about"]) - {"since"} == {"formula", "kind", "labels", "use", "source"}
    assert group(name)["about"]["kind"] == ("relative" if is_relative(name) else "point-wise")


@every_case
def test_it_agrees_with_its_loops(name, way):
    reference = importlib.import_module(f"tests.losses.test_{name}").reference
    for seed in range(3):
        logits, targets = random_bucket(seed, dtype=torch.float64)
        expected = reference(logits, targets, way, **parameters(name))
        assert make(name, way)(logits, targets).item() == pytest.approx(expected, rel=1e-10, abs=1e-13)
        assert make(name, way)(logits.float(), targets).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("name", "way"), [case for case in CASES if case[0] not in CONSTANT_WEIGHTS])
def test_the_gradient_is_the_slope_of_the_value(name, way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    loss = make(name, way)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), logits.requires_grad_())


@every_case
def test_unlabeled_logits_have_no_influence_and_no_gradient(name, way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    unlabeled = targets == UNLABELED
    value, gradient = loss_and_gradient(make(name, way), logits, targets)
    for other in (-1e4, 1e4):
        changed, changed_gradient = loss_and_gradient(make(name, way), logits.masked_fill(unlabeled, other), targets)
        torch.testing.assert_close(changed, value, rtol=1e-12, atol=0)
        torch.testing.assert_close(changed_gradient, gradient, rtol=1e-12, atol=1e-15)
        assert changed_gradient[unlabeled].count_nonzero() == 0


@pytest.mark.parametrize("shape", [(0, 6), (4, 6), (3, 0)])
@every_case
def test_a_bucket_without_labels_costs_zero_with_a_gradient(name, way, shape):
    loss = make(name, way, CLASS_FREQUENCIES[:, : shape[1]])
    value, gradient = loss_and_gradient(loss, torch.ones(shape), torch.full(shape, UNLABELED))
    assert value.item() == 0
    assert torch.equal(gradient, torch.zeros(shape))


@pytest.mark.parametrize("label", [POSITIVE, NEGATIVE])
@pytest.mark.parametrize(("name", "way"), [case for case in CASES if case[1]])
def test_groups_of_one_label_cost_zero_with_a_gradient(name, way, label):
    value, gradient = loss_and_gradient(make(name, way), torch.randn(4, 6), torch.full((4, 6), label))
    assert value.item() == 0
    assert torch.equal(gradient, torch.zeros(4, 6))


@every_case
def test_logits_of_ten_thousand_stay_finite(name, way):
    logits, targets = random_bucket(seed=0)
    signs = torch.where(targets == POSITIVE, 1.0, -1.0)
    for extreme in (1e4 * logits.sign(), 1e4 * signs, -1e4 * signs, torch.full_like(logits, 1e4), 0 * logits):
        value, gradient = loss_and_gradient(make(name, way), extreme, targets)
        assert value.isfinite()
        assert gradient.isfinite().all()


@every_case
def test_a_nan_is_not_hidden(name, way):
    logits, targets = random_bucket(seed=0)
    logits[3] = torch.nan
    assert make(name, way)(logits, targets).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_case
def test_half_precision_is_computed_in_float32(name, way, dtype):
    logits, targets = random_bucket(seed=0, dtype=dtype)
    value, gradient = loss_and_gradient(make(name, way), logits, targets)
    expected, slopes = loss_and_gradient(make(name, way), logits.float(), targets)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)
    assert torch.equal(gradient, slopes.to(dtype))


@every_case
def test_autocast_does_not_lower_the_precision(name, way):
    logits, targets = random_bucket(seed=0)
    expected, slopes = loss_and_gradient(make(name, way), logits, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = loss_and_gradient(make(name, way), logits, targets)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, slopes)


@every_case
def test_the_order_of_samples_and_classes_does_not_matter(name, way):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randperm(7, generator=generator)[:, None], torch.randperm(6, generator=generator)
    value, gradient = loss_and_gradient(make(name, way), logits, targets)
    loss = make(name, way, CLASS_FREQUENCIES[:, columns])
    permuted, permuted_gradient = loss_and_gradient(loss, logits[rows, columns], targets[rows, columns])
    torch.testing.assert_close(permuted, value, rtol=1e-12, atol=0)
    torch.testing.assert_close(permuted_gradient, gradient[rows, columns], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", RELATIVE)
def test_the_classes_are_the_samples_of_the_transpose(name):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    value, gradient = loss_and_gradient(make(name, "class"), logits, targets)
    transposed, transposed_gradient = loss_and_gradient(make(name, "sample"), logits.T, targets.T)
    torch.testing.assert_close(value, transposed, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, transposed_gradient.T, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", RELATIVE)
def test_both_ways_are_the_sum_of_the_two(name):
    logits, targets = random_bucket(seed=0, dtype=torch.float64)
    sample, class_, both = (make(name, way)(logits, targets) for way in ("sample", "class", "both"))
    torch.testing.assert_close(both, sample + class_, rtol=1e-12, atol=0)


@every_case
def test_logits_and_targets_are_left_as_they_were(name, way):
    logits, targets = random_bucket(seed=0)
    before = logits.clone(), targets.clone()
    loss_and_gradient(make(name, way), logits, targets)
    assert torch.equal(logits, before[0])
    assert torch.equal(targets, before[1])


@every_case
def test_wrong_targets_are_refused(name, way):
    logits, targets = random_bucket(seed=0)
    with pytest.raises(TypeError, match="expected integers"):
        make(name, way)(logits, targets.bool())
    with pytest.raises(ValueError, match="one shape"):
        make(name, way)(logits, targets[:1])


@pytest.mark.parametrize("name", RELATIVE)
def test_an_unknown_way_is_refused(name):
    with pytest.raises(Exception, match="way: expected one of"):
        make(name, "rows")


@pytest.mark.parametrize("name", NAMES)
def test_repr_shows_the_parameters(name):
    shown = repr(make(name, "class"))
    for key, value in parameters(name).items():
        assert isinstance(value, torch.Tensor) or f"{key}={value!r}" in shown


@every_case
def test_a_step_of_training_follows_it_downhill(name, way):
    torch.manual_seed(0)
    model = nn.Linear(5, 6)
    images = torch.randn(8, 5)
    _, targets = random_bucket(seed=1, num_samples=8)
    loss = make(name, way)
    before = loss(model(images), targets)
    layout = BatchLayout(batch_size=8, bucket_size=8, microbatch_size=4)
    backward_batch(
        GradientExchange(model, World()),
        lambda model, images, number: model(images),
        list(zip(images.split(4), targets.split(4), strict=True)),
        loss,
        layout,
    )
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert loss(model(images), targets) < before
