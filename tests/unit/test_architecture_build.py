"""The module that a value becomes: what it takes and gives, and how PyTorch's own tools handle it."""

from __future__ import annotations

import copy
import io
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import fx, nn
from torchvision.models.feature_extraction import create_feature_extractor

from course_lib.architecture import (
    ArchitectureError,
    Conv,
    Node,
    auxiliary,
    avg_pool,
    branches,
    build,
    conv,
    cost,
    depthwise_conv,
    diagram,
    global_avg_pool,
    layers,
    linear,
    local_response_norm,
    max_pool,
    merge,
    residual,
    seq,
    smallest_input,
    split,
    split_5x5,
    total,
    with_fields,
)
from course_lib.architecture.building import MODULES
from course_lib.architecture.nodes.checks import RESERVED
from course_lib.architecture.nodes.layers import Layer
from course_lib.models import create_model, entry, list_models, optimize_for_inference

SHAPE = (3, 24, 22)
SEPARABLE = seq(
    conv(16, 3, 2).named("first"),
    depthwise_conv(16, 3).named("depthwise"),
    conv(32, 1).named("pointwise"),
    depthwise_conv(32, 3, 2).named("reduction"),
    global_avg_pool(),
    linear(10).named("fc"),
)


def head(name: str = "aux") -> Node:
    return auxiliary(global_avg_pool() >> linear(4), 0.3).named(name)


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(architectures(), st.booleans(), st.integers(1, 3))
def test_random_networks_learn_trace_and_pickle(value: Node, merged: bool, batch: int) -> None:
    network = seq(value, head("aux2"), conv(4, 1), head("aux1"), global_avg_pool(), linear(5))
    try:
        total(network, SHAPE)
    except ArchitectureError:
        assume(False)
    model = build(merge(network) if merged else network, SHAPE[0]).train()
    x = torch.randn(batch + 1, *SHAPE, requires_grad=True)
    out = model(x)
    assert out._fields == ("logits", "aux1", "aux2")
    sum(logits.logsumexp(1).sum() for logits in out).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    saved = pickle.loads(pickle.dumps(out._replace(**{name: getattr(out, name).detach() for name in out._fields})))
    assert all(torch.equal(a, b) for a, b in zip(saved, out, strict=True))
    model.eval()
    torch.testing.assert_close(fx.symbolic_trace(model)(x), model(x))


@pytest.mark.parametrize("name", list_models())
def test_torch_fx_and_feature_extraction_take_every_network(name: str) -> None:
    has_heads = entry(name).has_heads
    model = create_model(name, 4, has_heads)
    traced = fx.symbolic_trace(model.train())
    assert isinstance(traced(torch.randn(2, 3, *smallest_input(model.architecture))), tuple) == has_heads
    x = torch.randn(1, 3, *smallest_input(model.architecture, heads=False))
    model.eval()
    with torch.no_grad():
        # torchvision traces the training mode, too, and warns of the parts that only it has.
        features = create_feature_extractor(model, ["global_pool"], suppress_diff_warning=True)
        torch.testing.assert_close(model.fc(features(x)["global_pool"]), model(x), rtol=1e-4, atol=1e-5)


def test_outputs_of_training_are_copied_pickled_and_saved() -> None:
    out = create_model("small_inception", 4, aux=True)(torch.randn(2, 3, 32, 32))
    out = out._make(logits.detach() for logits in out)
    stream = io.BytesIO()
    torch.save(out, stream)
    stream.seek(0)
    for other in (pickle.loads(pickle.dumps(out)), copy.deepcopy(out), torch.load(stream)):
        assert type(other) is type(out)
        assert other._fields == ("logits", "aux")
        assert all(torch.equal(a, b) for a, b in zip(other, out, strict=True))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)]
)
def test_local_response_normalisation_computes_in_the_inputs_precision(dtype: torch.dtype, tolerance: float) -> None:
    x = 5 * torch.randn(2, 7, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = build(local_response_norm(5), 7)(x.to(dtype))
    # By the definition: each value over a power of the squares of its five neighbours among the channels.
    exact = torch.stack(
        [x[:, i] / (1 + 1e-4 / 5 * (x[:, max(0, i - 2) : i + 3] ** 2).sum(1)) ** 0.75 for i in range(7)], dim=1
    )
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_has_the_default_dtype(dtype: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        models = build(conv(3, 3), 3), create_model("small_inception", 4)
    finally:
        torch.set_default_dtype(before)
    assert {tensor.dtype for model in models for tensor in model.parameters()} == {dtype}
    assert {tensor.dtype for model in models for tensor in model.buffers() if tensor.dim()} == {dtype}


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (
            np.zeros((2, 3, 32, 32), np.float32),
            r"takes a PyTorch tensor of images; got a ndarray: use torch.as_tens",
        ),
        (
            torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
            r"torch.float32, .*; got torch.uint8: use images.to\(torch.fl",
        ),
        (torch.zeros(2, 3, 32, 32, dtype=torch.float64), "net takes images of torch.float32, .*; got torch.float64"),
    ],
)
def test_images_of_another_type_are_named(images: object, sentence: str) -> None:
    model = build(conv(4, 3), 3)
    model.name = "net"
    with pytest.raises(ArchitectureError, match=sentence):
        model(images)


def test_other_types_are_taken_where_the_network_computes_with_them() -> None:
    model, x = build(conv(4, 3), 3), torch.zeros(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
        assert model(x.bfloat16()).dtype == torch.bfloat16
    assert model.double()(x.double()).dtype == torch.float64
    assert optimize_for_inference(build(conv(4, 3), 3), dtype=torch.bfloat16)(x.double()).dtype == torch.float32


@settings(max_examples=40)
@given(
    groups=st.integers(1, 4),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.sampled_from([1, 3, (1, 5)]),
    stride=st.integers(1, 2),
)
def test_groups_are_pytorchs(groups: int, per_group: tuple[int, int], kernel: object, stride: int) -> None:
    before, after = (groups * width for width in per_group)
    value = conv(after, kernel, stride, padding="valid", norm=False, activation="linear", groups=groups)
    theirs = nn.Conv2d(before, after, kernel, stride, groups=groups)
    ours = build(value, before)
    ours.load_state_dict({f"0.conv.{key}": tensor for key, tensor in theirs.state_dict().items()})
    x = torch.randn(2, before, 9, 11)
    assert torch.equal(ours(x), theirs(x))
    assert total(value, (before, 9, 11)).params == sum(parameter.numel() for parameter in theirs.parameters())


def test_a_separable_convolution_is_counted_drawn_merged_and_folded() -> None:
    table = cost(SEPARABLE, (3, 32, 32))
    # MobileNets, section 3.1: the pair costs 1/N + 1/9 of the convolution that it takes the place of.
    whole = total(conv(32, 3), (16, 16, 16)).macs
    assert table.loc[["depthwise", "pointwise"], "macs"].sum() == whole / 32 + whole / 9
    assert table.loc["depthwise", "params"] == 16 * 9 + 2 * 16
    assert table.loc["depthwise", "operation"] == "conv 3x3 16 in 16 groups"
    assert table.loc["depthwise", "receptive_field"] == (7, 7)
    assert "conv 3×3 16 in 16 groups" in diagram(SEPARABLE, (3, 32, 32)).svg
    model = build(SEPARABLE, 3).eval()
    for name, tensor in model.state_dict().items():
        if "bn." in name and tensor.dim():
            tensor.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(optimize_for_inference(model)(x), model(x), rtol=1e-4, atol=1e-5)
    assert merge(SEPARABLE) == SEPARABLE


def test_convolutions_in_groups_are_not_merged_with_their_siblings() -> None:
    value = branches(conv(4, 1, groups=2), conv(4, 1), avg_pool(3) >> conv(4, 1, groups=2))
    merged = merge(value)
    assert {part.groups for part in (merged.layers[0].paths[0], merged.layers[0].paths[2].layers[1])} == {2}
    assert total(merged, (4, 8, 8)).macs == total(value, (4, 8, 8)).macs


@dataclass(frozen=True)
class ChannelShuffle(Layer):
    """Channels dealt out anew after a convolution in groups (Zhang et al. 2017, ShuffleNet, arXiv:1707.01083)."""

    groups: int

    def describe(self) -> str:
        return f"channel shuffle {self.groups}"


def test_a_new_kind_of_layer_needs_its_class_and_its_module_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, ChannelShuffle, lambda node, shape, parts: nn.ChannelShuffle(node.groups))
    value = conv(6, 5, groups=3) >> branches(ChannelShuffle(3) >> conv(4, 3, 2), max_pool(3, 2)) >> ChannelShuffle(2)
    rows = layers(value, SHAPE)
    assert [row.operation for row in rows if "shuffle" in row.operation] == ["channel shuffle 3", "channel shuffle 2"]
    assert smallest_input(value) == (1, 1)
    assert "channel shuffle 3" in diagram(value, SHAPE).svg
    assert "channel shuffle 2" in diagram(value).text
    for other in (merge(value), split_5x5(value), with_fields(value, Conv, norm=False, bias=True)):
        assert build(other, 3)(torch.zeros(2, *SHAPE)).shape == (2, *total(value, SHAPE).out_shape)


def test_reserved_names_are_all_that_modules_need_for_themselves() -> None:
    network = build(seq(split((2, 1), seq(), seq())), 3)
    attributes = {name for module in (network, network[0], nn.Sequential()) for name in dir(module)}
    assert {name for name in attributes if not name.startswith("_")} - {"branch1", "branch2"} <= RESERVED


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: conv(8, 3).named("type"), "name 'type': every PyTorch module has .* use another, such as 'type1'"),
        (lambda: branches(conv(8, 3).named("forward")), "name 'forward': every PyTorch module"),
        (lambda: conv(8, 3).named("_modules"), "name '_modules': every PyTorch module .* such as 'modules1'"),
        (lambda: conv(8, 3).named(3), "a name is a text, such as '3a'; got 3"),
        (lambda: head("3x3"), "name '3x3': an auxiliary head's logits are found under its name"),
        (lambda: head("class"), "name 'class': an auxiliary head's logits"),
        (lambda: head("logits"), "do not take 'logits'"),
        (
            lambda: build(conv(8, 3) >> auxiliary(global_avg_pool() >> linear(2), 0.3), 3),
            r"1: an auxiliary head needs a name, .*auxiliary\(...\).named\('aux'\)",
        ),
        (lambda: seq(conv(8, 3).named("a"), conv(4, 3).named("a")), "Sequence: two of its parts are named 'a'"),
        (lambda: branches(conv(8, 3).named("a"), conv(4, 3).named("a")), "Branches: two of its parts are named 'a'"),
        (
            lambda: build(conv(8, 3) >> branches(conv(8, 1), conv(8, 1).named("branch1")).named("mixed"), 3),
            "mixed: two of its parts are named 'branch1'; names must differ",
        ),
        (
            lambda: cost(branches(seq(conv(8, 1), conv(8, 1).named("0")).named("b")).named("mixed"), (3, 8, 8)),
            "mixed.b: two of its parts are named '0'",
        ),
        (lambda: build(branches(head(), conv(8, 1)), 3), "0.aux: an auxiliary head must stand at the top level"),
        (
            lambda: build(residual(conv(8, 3)).named("res"), 3),
            "res: a residual adds .* 3x.x. goes in and 8x.x. comes",
        ),
        (lambda: conv(8, 3, groups=3), "3 groups need a multiple of 3 channels; got 8"),
        (
            lambda: build(conv(8, 3, groups=2).named("g"), 3),
            "g: 2 groups of .* cannot share the 3 channels that come",
        ),
        (lambda: conv(True, 3), "channels must be whole and at least 1; got True"),
        (lambda: conv(8.0, 3), "channels must be whole and at least 1; got 8.0"),
        (lambda: split_5x5(5), "a rewrite takes a value such as .* first; got 5"),
        (lambda: cost(linear(4) >> local_response_norm(), (3, 4, 4)), "1: needs an input of .* got the flat 4"),
    ],
)
def test_nonsense_is_named_before_pytorch_sees_it(make: object, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        make()


def test_whole_numbers_of_numpy_and_torch_are_whole_numbers() -> None:
    value = conv(np.int64(8), (np.int32(3), torch.tensor(5)), np.int8(2), groups=torch.tensor(2))
    assert value == conv(8, (3, 5), 2, groups=2)
    assert repr(value) == repr(conv(8, (3, 5), 2, groups=2))
    assert repr(split((np.int64(2),), seq())) == repr(split((2,), seq()))
