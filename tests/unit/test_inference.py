"""What `optimize_for_inference` gives: the same logits, from a network without what only training needs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from course_lib.architecture import (
    ArchitectureError,
    avg_pool,
    branches,
    build,
    conv,
    dropout,
    global_avg_pool,
    linear,
    residual,
    seq,
    smallest_input,
)
from course_lib.architecture.building import NormActUnit
from course_lib.models import create_model, entry, list_models, optimize_for_inference
from course_lib.models.inference import fused

CASES = [(name, {}) for name in list_models()] + [
    ("inception_v3", {"count_include_pad": True}),
    ("bn_inception", {"bias": True}),
]


def trained(model: nn.Module) -> nn.Module:
    """As if trained: batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor, 0, 0.1, generator=generator)
    return model


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda case: str(case) if case else "")
def test_logits_stay(name: str, options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = trained(create_model(name, 10, aux=entry(name).has_heads, **options))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    side = max(*smallest_input(model.architecture, heads=False), 48)
    images = torch.randn(2, 3, side, side + 3)
    fast = optimize_for_inference(model)
    assert model.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    with torch.no_grad():
        logits, wanted = fast(images), model.eval()(images)
    assert (logits - wanted).norm() < 1e-4 * wanted.norm()


@pytest.mark.parametrize("name", ["googlenet", "bn_inception", "small_inception"])
def test_bfloat16_takes_and_gives_float32(name: str) -> None:
    torch.manual_seed(0)
    model = trained(create_model(name, 10)).eval()
    images = torch.randn(2, 3, 64, 64)
    fast = optimize_for_inference(model, dtype=torch.bfloat16)
    with torch.no_grad():
        logits, wanted = fast(images), model(images)
    assert logits.dtype == torch.float32
    assert {module.weight.dtype for module in fast.modules() if isinstance(module, nn.Conv2d)} == {torch.bfloat16}
    assert (logits - wanted).norm() < 0.05 * wanted.norm()


def test_only_what_inference_needs_is_left() -> None:
    model = create_model("inception_v3", 10, aux=True)
    fast = optimize_for_inference(model)
    assert not fast.training
    assert fast.name == "inception_v3"
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    assert not [name for name, module in fast.named_modules() if isinstance(module, nn.Dropout) or "aux" in name]
    # One convolution less for each sibling: 2 in each of the 9 blocks with three 1x1 before ReLU, 1 in mixed_7a.
    count = sum(
        isinstance(module, nn.Conv2d) for module in optimize_for_inference(create_model("inception_v3")).modules()
    )
    assert count == sum(isinstance(module, nn.Conv2d) for module in create_model("inception_v3").modules()) - 9 * 2 - 1
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.is_contiguous(memory_format=torch.channels_last)
            assert module.bias is not None


def test_batch_norm_after_a_fully_connected_layer_is_folded() -> None:
    value = conv(4, 3) >> global_avg_pool() >> linear(6, norm=True, activation="relu") >> dropout(0.5) >> linear(2)
    model = trained(build(value, 3))
    fast = optimize_for_inference(model)
    assert not [module for module in fast.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(fast(images), model.eval()(images), rtol=1e-4, atol=1e-6)


def test_gradients_reach_the_images() -> None:
    """As pictures of what a network looks at need."""
    model = trained(build(avg_pool(3) >> conv(4, 1) >> conv(2, 3), 3)).eval()
    images = torch.randn(1, 3, 8, 8, requires_grad=True)
    gradients = [
        torch.autograd.grad(m(images).square().sum(), images)[0] for m in (model, optimize_for_inference(model))
    ]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)


FUSABLE = seq(
    residual(conv(4, 1) >> conv(3, 3, norm=False, activation="linear"), 0.3),
    residual(conv(2, 1) >> conv(3, 1, norm=False, activation="linear"), 0.2, activation="linear"),
    residual(branches(conv(2, 1), conv(1, 3)), 0.5),  # ends in a join, so it stays as it is
    conv(3, 3, 2, activation="linear") >> conv(3, 3),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fused_operators_give_what_the_parts_give(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has the operators, and as on one that has not; the images are read, never written."""
    torch.manual_seed(0)
    model = trained(build(FUSABLE, 3)).eval()
    fast = optimize_for_inference(model, dtype=dtype)
    assert [type(part).__name__ for part in fast] == [
        "FusedResidual",
        "FusedResidual",
        "ResidualModule",
        "FusedConvUnit",
        "FusedConvUnit",
    ]
    images = torch.randn(2, 3, 9, 9).contiguous(memory_format=torch.channels_last)
    kept = images.clone()
    with torch.no_grad():
        logits, wanted = fast(images), model(images)
        monkeypatch.setattr(fused, "_DTYPES", set())
        unfused = fast(images)
    assert torch.equal(images, kept)
    tolerance = 1e-4 if dtype == torch.float32 else 0.05
    assert (logits - wanted).norm() < tolerance * wanted.norm()
    assert (unfused - wanted).norm() < tolerance * wanted.norm()


def test_a_residual_overwrites_only_what_a_residual_before_it_gave() -> None:
    """Not the images, and not what a user hands to a slice; nor what its own last convolution still reads."""
    torch.manual_seed(0)
    linear = conv(3, 3, norm=False, activation="linear")
    model = trained(build(seq(*[residual(conv(4, 1) >> linear, 0.3)] * 3, residual(seq(linear)), conv(2, 1)), 3)).eval()
    fast = optimize_for_inference(model)
    assert [part.overwrite for part in fast[:4]] == [False, True, True, True]
    images = torch.randn(2, 3, 9, 9).contiguous(memory_format=torch.channels_last)
    kept = images.clone()
    with torch.no_grad():
        for begin in range(4):
            torch.testing.assert_close(fast[begin:](images), model[begin:](images), rtol=1e-4, atol=1e-5)
            assert torch.equal(images, kept)


@pytest.mark.skipif(torch.float32 not in fused._DTYPES, reason="this build of PyTorch has no fused operators")
def test_a_convolution_and_its_relu_are_one_operator() -> None:
    fast = optimize_for_inference(create_model("small_inception", 10))
    with torch.no_grad(), torch.profiler.profile() as profile:
        fast(torch.randn(1, 3, 32, 32))
    counts = {event.key: event.count for event in profile.key_averages()}
    units = [module for module in fast.modules() if isinstance(module, fused.FusedConvUnit)]
    assert counts["mkldnn::_convolution_pointwise"] + counts["mkldnn::_linear_pointwise"] == len(units)
    assert counts["mkldnn::_linear_pointwise"] == sum(unit.conv.kernel_size == (1, 1) for unit in units)
    assert "aten::conv2d" not in counts
    after_pools = [module for module in fast.modules() if isinstance(module, NormActUnit)]
    assert counts.get("aten::relu", 0) + counts.get("aten::relu_", 0) == len(after_pools)


def test_nonsense_is_named() -> None:
    model = create_model("small_inception", 10)
    with pytest.raises(ArchitectureError, match="a whole network made by create_model or build; got a Network whose"):
        optimize_for_inference(model[1:])
    with pytest.raises(ArchitectureError, match="got a Linear whose architecture"):
        optimize_for_inference(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"torch.float32 or torch.bfloat16; got torch.float64"):
        optimize_for_inference(model, dtype=torch.float64)
    with pytest.raises(ArchitectureError, match=r"small_inception takes images of shape \(N, 3"):
        optimize_for_inference(model)(torch.zeros(1, 1, 28, 28))


def test_a_reordered_weight_is_used_for_its_own_size_and_values_only() -> None:
    torch.manual_seed(0)
    model = trained(build(FUSABLE, 3)).eval()
    fast = optimize_for_inference(model)
    with torch.no_grad():
        for shape in [(2, 3, 9, 9), (1, 3, 12, 7), (2, 3, 9, 9)]:
            images = torch.randn(shape)
            torch.testing.assert_close(fast(images), model(images), rtol=1e-4, atol=1e-5)
        before = fast(images)
        last = fast[-1].conv
        last.weight.mul_(2)
        last.bias.mul_(2)
        torch.testing.assert_close(fast(images), 2 * before)  # ReLU keeps a positive factor


def test_an_optimized_network_can_be_copied_and_compiled() -> None:
    torch.manual_seed(0)
    fast = optimize_for_inference(build(FUSABLE, 3))
    images = torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        wanted = fast(images)
        assert torch.equal(copy.deepcopy(fast)(images), wanted)
        compiled = torch.compile(fast, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(images), wanted, rtol=1e-4, atol=1e-5)
        exported = torch.export.export(fast, (images,)).module()
        torch.testing.assert_close(exported(images), wanted, rtol=1e-4, atol=1e-5)
