"""Backbones of both libraries, their heads, and where their weights come from."""

import re
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from margin_bench.errors import CheckpointError, ConfigError, DataError
from margin_bench.training.models import CosineHead, build_model, check_fits, head_of, load_trained

PAPER_MODELS = {"resnet50": 2048, "resnext50_32x4d": 2048, "densenet169": 1664, "regnet_y_32gf": 3712}


@pytest.fixture
def no_hub(monkeypatch):
    """No network: every download fails as it does without one."""

    def refuse(*args, **more):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_url", refuse)


@pytest.mark.parametrize("name", PAPER_MODELS)
def test_the_head_of_the_papers_models_is_a_new_linear_layer(name):
    model = build_model("torchvision", name, 80)
    head = head_of(model)
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (PAPER_MODELS[name], 80)
    known = {id(parameter) for parameter in model.parameters()}
    assert all(id(parameter) in known for parameter in head.parameters())


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"])
def test_the_head_of_a_timm_model_is_the_one_that_timm_names(name):
    model = build_model("timm", name, 7)
    assert head_of(model) is model.get_classifier()
    assert head_of(model).out_features == 7
    assert model(torch.zeros(2, 3, 160, 160)).shape == (2, 7)


def test_a_torchvision_model_gives_logits_for_the_classes():
    model = build_model("torchvision", "resnet18", 5)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(("library", "name"), [("timm", "resnet50x"), ("torchvision", "resnet50x")])
def test_an_unknown_name_is_answered_with_near_ones(library, name):
    with pytest.raises(ConfigError, match=r"did you mean .*resnet50"):
        build_model(library, name, 80)


def test_an_unknown_option_is_named():
    with pytest.raises(ConfigError, match="no_such_option"):
        build_model("timm", "test_resnet", 80, options={"no_such_option": 1})


@pytest.mark.parametrize(
    ("library", "name", "options"),
    [
        ("timm", "test_vit", {"global_pool": "no_such_pool"}),
        ("timm", "test_resnet", {"output_stride": 5}),
        ("torchvision", "resnet18", {"norm_layer": "x"}),
        ("torchvision", "vit_b_16", {"image_size": 100}),
    ],
)
def test_options_that_a_library_fails_with_are_told_as_such(library, name, options):
    with pytest.raises(ConfigError, match=f"backbone.options do not fit {library}'s {name}: ."):
        build_model(library, name, 80, options=options)


@pytest.mark.parametrize("option", ["checkpoint_path", "cache_dir", "pretrained_cfg", "pretrained_cfg_overlay"])
def test_options_that_make_timm_load_a_file_are_refused_before_it_is_read(tmp_path, option):
    said = rf"backbone\.options\.{option} is not taken.*\n.*backbone\.weights=FILE"
    with pytest.raises(ConfigError, match=said):
        build_model("timm", "test_resnet", 80, options={option: str(tmp_path / "no_such_file")})


@pytest.mark.parametrize(("library", "name"), [("timm", "resnet18"), ("torchvision", "resnet18")])
def test_without_the_hub_pretrained_weights_are_an_error_and_never_random(no_hub, library, name):
    with pytest.raises(DataError, match=r"(?s)backbone.weights=FILE.*backbone.pretrained=false") as caught:
        build_model(library, name, 80, pretrained=True)
    assert len(str(caught.value).splitlines()) <= 3


def test_a_timm_model_that_nobody_pretrained_is_an_error_and_never_random(no_hub):
    name = next(name for name in timm.list_models("resnet*") if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(DataError, match="there are none"):
        build_model("timm", name, 80, pretrained=True)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_file_all_but_the_head(tmp_path, suffix):
    torch.manual_seed(0)
    source = torchvision.models.resnet18()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": source.state_dict()}, path)
    else:
        safetensors.torch.save_file(source.state_dict(), path)
    model = build_model("torchvision", "resnet18", 5, pretrained=True, weights=path)
    for name, tensor in source.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(model.state_dict()[name], tensor)
    assert model.fc.out_features == 5


def test_weights_without_a_head_are_enough(tmp_path):
    source = timm.create_model("test_resnet", num_classes=0)
    safetensors.torch.save_file(source.state_dict(), tmp_path / "body.safetensors")
    model = build_model("timm", "test_resnet", 5, weights=tmp_path / "body.safetensors")
    assert torch.equal(model.conv1[0].weight, source.conv1[0].weight)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_weights_of_a_model_that_was_wrapped_are_taken(tmp_path, prefix):
    source = timm.create_model("test_resnet")
    torch.save({f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}, tmp_path / "wrapped.pth")
    model = build_model("timm", "test_resnet", 5, weights=tmp_path / "wrapped.pth")
    assert torch.equal(model.conv1[0].weight, source.conv1[0].weight)


def test_weights_of_another_model_are_refused(tmp_path):
    safetensors.torch.save_file(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(DataError, match="does not fit the backbone"):
        build_model("timm", "test_resnet", 5, weights=tmp_path / "vit.safetensors")


@pytest.mark.parametrize(
    ("library", "name"), [("timm", "test_resnet"), ("timm", "test_vit"), ("torchvision", "resnet18")]
)
def test_a_cosine_head_takes_the_place_of_the_linear_one(library, name):
    model = build_model(library, name, 7, head="cosine", scale=16.0)
    head = head_of(model)
    assert isinstance(head, CosineHead)
    assert [parameter.shape[0] for parameter in head.parameters()] == [7]
    logits = model(torch.randn(2, 3, 160, 160))
    assert logits.shape == (2, 7)
    assert logits.abs().max() <= 16


def test_a_cosine_head_gives_the_scaled_cosine_similarity():
    torch.manual_seed(0)
    head, features = CosineHead(8, 3, 16.0, learn_scale=False), torch.randn(5, 8)
    expected = 16 * F.cosine_similarity(features[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(features), expected)


def test_cosines_are_computed_in_float32_within_half_precision():
    torch.manual_seed(0)
    head, features = CosineHead(8, 3, 16.0, learn_scale=False), torch.randn(5, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(features), head(features.float()))


def test_a_learned_scale_starts_where_told_and_is_a_parameter_of_the_head():
    model = build_model("timm", "test_resnet", 7, head="cosine", scale=10.0, learn_scale=True)
    head = head_of(model)
    assert head.log_scale.exp().item() == pytest.approx(10)
    assert any(parameter is head.log_scale for parameter in head.parameters())
    head(torch.randn(4, head.in_features))[:, 0].sum().backward()
    assert head.log_scale.grad != 0


def test_a_cosine_head_takes_no_weights_of_the_head_in_a_file(tmp_path):
    source = timm.create_model("test_resnet")
    safetensors.torch.save_file(source.state_dict(), tmp_path / "resnet.safetensors")
    model = build_model("timm", "test_resnet", 5, weights=tmp_path / "resnet.safetensors", head="cosine", scale=16.0)
    assert torch.equal(model.conv1[0].weight, source.conv1[0].weight)


def test_files_of_older_versions_fit(tmp_path):
    """torchvision's DenseNet files name layers `norm.1`, and the oldest have no counters of batch normalisation."""
    source = torchvision.models.densenet121()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor
        for name, tensor in source.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet121.pth")
    model = build_model("torchvision", "densenet121", 5, weights=tmp_path / "densenet121.pth")
    loaded = model.state_dict()
    for name, tensor in source.state_dict().items():
        assert name.startswith("classifier.") or torch.equal(loaded[name], tensor), name


class Plain(nn.Module):
    """A model without `get_classifier`, whose last linear layer is its head."""

    def __init__(self, num_classes=3):
        super().__init__()
        self.body = nn.Linear(12, 4)
        self.head = nn.Linear(4, num_classes)

    def forward(self, images):
        return self.head(self.body(images.flatten(1)))


def test_without_get_classifier_the_head_is_the_last_linear_layer():
    model = Plain()
    assert head_of(model) is model.head


def test_a_head_that_get_classifier_names_is_taken_before_the_last_linear_layer():
    model: Any = Plain()
    model.get_classifier = lambda: model.body
    assert head_of(model) is model.body


@pytest.mark.parametrize("named", [None, (nn.Linear(4, 3), nn.Linear(4, 3)), nn.Linear(4, 3), nn.Identity()])
def test_a_head_that_is_no_layer_of_the_model_is_refused(named):
    model: Any = Plain()
    model.get_classifier = lambda: named
    with pytest.raises(ConfigError, match="no layer of the model with parameters"):
        head_of(model)


def test_a_model_without_a_linear_layer_has_to_name_its_head():
    with pytest.raises(ConfigError, match=r"Give it a method get_classifier\(\)"):
        head_of(nn.Conv2d(3, 2, 1))


IMAGES = torch.zeros(1, 3, 2, 2)


def test_a_model_that_fits_is_left_in_training_mode():
    model = Plain().train()
    check_fits(model, IMAGES, num_classes=3)
    assert model.training


def test_a_model_without_a_parameter_to_train_is_refused():
    model = build_model("timm", "test_resnet", 3).requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        check_fits(model, IMAGES, num_classes=3)


def test_a_model_with_complex_parameters_is_refused():
    model = Plain()
    model.register_parameter("phases", torch.nn.Parameter(torch.ones(2, dtype=torch.complex64)))
    with pytest.raises(ConfigError, match="Plain has complex parameters"):
        check_fits(model, IMAGES, num_classes=3)


def test_images_that_a_model_does_not_take_are_told_with_their_size():
    with pytest.raises(ConfigError, match="Plain does not take images of 5 x 5 pixels: mat1 and mat2"):
        check_fits(Plain(), torch.zeros(1, 3, 5, 5), num_classes=3)


@pytest.mark.parametrize(
    ("output", "came"),
    [
        (lambda logits: logits[:, 0], r"a tensor \(1,\)"),
        (lambda logits: logits[..., None], r"a tensor \(1, 3, 1\)"),
        (lambda logits: {"logits": logits}, "dict"),
    ],
)
def test_what_is_not_one_logit_for_each_image_and_class_is_told(output, came):
    model = Plain()
    model.register_forward_hook(lambda module, inputs, logits: output(logits))
    with pytest.raises(ConfigError, match=rf"Plain gives {came} for images \(1, 3, 2, 2\)"):
        check_fits(model, IMAGES, num_classes=3)


def test_saved_tensors_that_do_not_fit_the_model_any_more_are_told():
    with pytest.raises(CheckpointError, match=r"the tensors in runs/x do not fit Plain: size mismatch for head.weight"):
        load_trained(Plain(), Plain(num_classes=4).state_dict(), "runs/x")
