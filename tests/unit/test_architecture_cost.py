"""`cost` says, without running anything, what the built module does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib.architecture import (
    ArchitectureError,
    Conv,
    Node,
    Pool,
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    batch_norm,
    branches,
    build,
    conv,
    cost,
    dropout,
    global_avg_pool,
    layers,
    linear,
    local_response_norm,
    max_pool,
    residual,
    rewrite,
    seq,
    smallest_input,
    total,
    with_fields,
)

EXHAUSTIVE = settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
IMAGE = st.tuples(st.integers(1, 3), st.integers(20, 40), st.integers(20, 40))
LARGE_IMAGE = st.tuples(st.just(1), st.integers(40, 60), st.integers(40, 60))  # so that the border cuts nothing off

INCEPTION_A = branches(
    conv(64, 1),
    conv(48, 1) >> conv(64, 5),
    conv(64, 1) >> conv(96, 3) >> conv(96, 3),
    avg_pool(3) >> conv(32, 1),
)
CLASSIFIER = global_avg_pool() >> dropout(0.4) >> linear(10)


def built_shapes(model: nn.Module, x: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Output shape of every submodule, without the batch."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _m, _i, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    with torch.no_grad():
        model(x)
    return shapes


def counted_macs(model: nn.Module, x: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


def measured_receptive_field(value: Node, shape: tuple[int, int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First pixel and extent, per dimension, of the input region whose gradient reaches the middle output unit.

    Max pools become average pools of the same geometry and all weights positive, so that no path is silent.
    """
    averaged = rewrite(value, lambda node, _: replace(node, kind="avg") if isinstance(node, Pool) else node)
    model = build(averaged, shape[0]).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0 / max(1, parameter[0].numel()))
    x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    y = model(x)
    y[0, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
    touched = x.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
    first = (rows[0].item(), columns[0].item())
    return first, (rows[-1].item() - first[0] + 1, columns[-1].item() - first[1] + 1)


@EXHAUSTIVE
@given(architectures(), IMAGE)
@example(INCEPTION_A >> CLASSIFIER, (3, 35, 35))
def test_table_equals_the_built_module(value: Node, shape: tuple[int, int, int]) -> None:
    try:
        rows = layers(value, shape)
    except ArchitectureError:
        assume(False)
    model = build(value, shape[0]).eval()
    x = torch.zeros(1, *shape)
    shapes = built_shapes(model, x)
    assert {row.layer: row.out_shape for row in rows} == {row.layer: shapes[row.layer] for row in rows}
    for row in rows:
        assert row.params == sum(p.numel() for p in model.get_submodule(row.layer).parameters()), row.layer
    summed = total(value, shape)
    assert summed.out_shape == shapes[""]
    assert summed.params == sum(p.numel() for p in model.parameters())
    assert summed.macs == counted_macs(model, x)


@EXHAUSTIVE
@given(architectures(max_parts=3), LARGE_IMAGE)
@example(INCEPTION_A >> max_pool(3, 2, padding="ceil") >> INCEPTION_A, (3, 40, 40))
def test_receptive_field_equals_the_gradients_reach(value: Node, shape: tuple[int, int, int]) -> None:
    try:
        signal = total(value, shape).signal
    except ArchitectureError:
        assume(False)
    middle = tuple(extent // 2 for extent in signal.shape[1:])
    first = tuple(i * j + s for i, j, s in zip(middle, signal.reach.jump, signal.reach.start, strict=True))
    inside = all(f >= 0 and f + size <= n for f, size, n in zip(first, signal.reach.field, shape[1:], strict=True))
    assume(inside)
    assert measured_receptive_field(value, shape) == (first, signal.reach.field)


def test_a_global_pool_sees_the_whole_grid() -> None:
    value = conv(4, 3, 2, padding="valid") >> global_avg_pool()
    # 21 pixels give a grid of 10; its units start 2 pixels apart and see 3 each.
    assert total(value, (1, 21, 21)).receptive_field == (21, 21) == (9 * 2 + 3, 9 * 2 + 3)
    assert measured_receptive_field(value, (1, 21, 21)) == ((0, 0), (21, 21))


def test_rows_of_every_kind_of_layer() -> None:
    value = (
        conv(6, 3, norm=False)
        >> local_response_norm(5)
        >> auxiliary(adaptive_avg_pool(2) >> linear(8, norm=True, activation="relu") >> linear(4), 0.3).named("aux")
        >> residual(conv(6, 1, activation="linear"), 0.2)
        >> CLASSIFIER
    )
    table = cost(value, (3, 8, 8))
    assert table.loc["0", "params"] == 6 * 3 * 9 + 6
    assert table.loc["0", "macs"] == 6 * 3 * 9 * 64
    assert table.loc["aux.head.1", "params"] == 6 * 4 * 8 + 2 * 8
    assert table.loc["aux.head.2", "macs"] == 8 * 4
    assert table.loc["3.inner", "params"] == 6 * 6 + 2 * 6
    assert list(table["out_shape"])[-3:] == [(6, 1, 1), (6, 1, 1), (10,)]
    model = build(value, 3)
    assert table["params"].sum() == sum(p.numel() for p in model.parameters())
    assert table["activations"].sum() == total(value, (3, 8, 8)).activations


def test_auxiliary_heads_answer_in_training_only_and_deepest_first() -> None:
    head = global_avg_pool() >> linear(2)
    value = (
        conv(4, 3)
        >> auxiliary(head, 0.3).named("aux1")
        >> conv(4, 3)
        >> auxiliary(head, 0.3).named("aux2")
        >> CLASSIFIER
    )
    model = build(value, 3)
    x = torch.randn(2, 3, 8, 8)
    out = model.train()(x)
    assert out._fields == ("logits", "aux2", "aux1")
    assert [tuple(part.shape) for part in out] == [(2, 10), (2, 2), (2, 2)]
    assert model.eval()(x).shape == (2, 10)


def test_one_size_in_a_replaced_field_stands_for_both() -> None:
    assert replace(conv(8, 3), kernel_size=2, stride=2) == conv(8, 2, 2)
    assert replace(max_pool(3), kernel_size=[2, 1]) == max_pool((2, 1))


def test_one_whole_number_stands_for_both_sides_however_a_layer_is_written_down() -> None:
    assert Pool("max", 3, 2, "same") == max_pool(3, 2)
    assert replace(global_avg_pool(), grid=1) == global_avg_pool()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: conv(0, 3), "channels must be whole and at least 1; got 0"),
        (lambda: conv(8, (3, 0)), r"kernel_size must be whole and at least 1; got \(3, 0\)"),
        (lambda: conv(8, (3, 3, 3)), r"one int or \(height, width\); got \(3, 3, 3\)"),
        (
            lambda: replace(conv(8, 3), stride=(1, 1, 1)),
            r"Conv: stride is one size or \(height, width\); got \(1, 1, 1\)",
        ),
        (lambda: Pool("max", (3, 3), (2,), "same"), r"Pool: stride is one size or \(height, width\); got \(2,\)"),
        (lambda: conv(8, 3, padding="full"), "padding must be one of same, valid; got 'full'"),
        (lambda: conv(8, 3, activation="gelu"), "activation must be one of relu, linear; got 'gelu'"),
        (lambda: conv(8, 3, eps=0), "Conv: eps must be above 0; got 0"),
        (lambda: dropout(1.5), "probability from 0 up to, not including, 1; got 1.5"),
        (lambda: branches(), "at least one path"),
        (lambda: branches(64), "a path must be a value .* got 64"),
        (lambda: conv(8, 3) >> 64, "a part must be a value .* got 64"),
        (lambda: conv(8, 3).named("a.b"), "use a name without dots"),
        (lambda: cost(conv(8, 3), (3, 0, 8)), r"each at least 1; got \(3, 0, 8\)"),
        (
            lambda: cost(conv(8, 3) >> conv(8, 7, padding="valid").named("wide"), (3, 5, 9)),
            "wide: the 7x7 kernel of 'conv 7x7 valid 8' is larger than its input 8x5x9; "
            "the input needs at least height 7, or padding='same'",
        ),
        (
            lambda: cost(branches(conv(8, 1), conv(8, 3, 2)).named("mixed"), (3, 8, 8)),
            "mixed: branches joined .* branch1 8x8x8, branch2 8x4x4",
        ),
        (
            lambda: cost(branches(conv(8, 1, 2), conv(8, 1, 3)).named("mixed"), (3, 4, 4)),
            "mixed: branch1 has a total stride of 2x2 and branch2 of 3x3",
        ),
        (
            lambda: cost(residual(conv(8, 3)).named("res"), (3, 8, 8)),
            "res: a residual adds .* 3x8x8 goes in and 8x8x8 comes out; end the inner part with 3 channels",
        ),
        (lambda: cost(linear(8) >> conv(8, 3).named("late"), (3, 4, 4)), "late: needs an input of .* got the flat 8"),
        (lambda: cost(seq(conv(8, 3).named("a"), conv(8, 3).named("a")), (3, 8, 8)), "named 'a'; names must differ"),
        (
            lambda: cost(seq(auxiliary(linear(2), 0.3)).named("block"), (3, 8, 8)),
            "block.0: an auxiliary head must stand at the top level",
        ),
        (
            lambda: build(conv(8, 3) >> linear(2), 3),
            "1: the size of the input of 'linear 2' is not fixed; put global_avg_pool",
        ),
    ],
)
def test_nonsense_is_named(make: object, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        make()


@EXHAUSTIVE
@given(architectures(max_parts=6))
@example(max_pool(3, 2, padding="ceil") >> max_pool(1, 2, padding="ceil") >> max_pool(2, 2, padding="ceil"))
@example(conv(4, 7, 2) >> INCEPTION_A >> avg_pool(5, 3, padding="valid") >> CLASSIFIER)
def test_one_pixel_less_than_the_smallest_input_does_not_fit(value: Node) -> None:
    height, width = smallest_input(value)
    total(value, (3, height, width))
    for shape in ((3, height - 1, width), (3, height, width - 1)):
        if min(shape) > 0:
            with pytest.raises(ArchitectureError):
                total(value, shape)


def test_a_head_may_need_more_pixels_and_only_in_training() -> None:
    head = avg_pool(5, 3, padding="valid") >> conv(4, 3, padding="valid") >> global_avg_pool() >> linear(2)
    value = conv(4, 3, 2) >> auxiliary(head, 0.4).named("aux") >> CLASSIFIER
    assert smallest_input(value, heads=False) == (1, 1)
    assert smallest_input(value) == (21, 21)  # a grid of 11, of which the pool leaves 3
    model = build(value, 3)
    assert len(model.train()(torch.randn(2, 3, 21, 21))) == 2
    assert model.eval()(torch.randn(2, 3, 20, 21)).shape == (2, 10)
    with pytest.raises(
        ArchitectureError, match=r"at least 21x21 in training, with its auxiliary heads; got \(2, 3, 20, 21\)"
    ):
        model.train()(torch.randn(2, 3, 20, 21))


@pytest.mark.parametrize("shape", [(2, 3, 6, 9), (2, 3, 9, 6), (2, 1, 9, 9), (3, 9, 9)])
def test_a_call_with_a_wrong_input_names_the_right_one(shape: tuple[int, ...]) -> None:
    model = build(conv(8, 7, padding="valid"), 3)
    assert model(torch.zeros(2, 3, 7, 7)).shape == (2, 8, 1, 1)
    with pytest.raises(
        ArchitectureError, match=r"the network takes images of shape \(N, 3, height, width\), at least 7x7; got"
    ):
        model(torch.zeros(shape))


def test_a_slice_of_a_network_runs() -> None:
    model = build(conv(8, 3) >> conv(4, 3) >> CLASSIFIER, 3).eval()
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(model[1:](model[0](x)), model(x))


def test_a_fixed_grid_is_followed_through_convolutions_and_pools() -> None:
    value = adaptive_avg_pool(8) >> conv(4, 3, padding="valid") >> max_pool(3, 2) >> dropout(0.1) >> linear(2)
    assert build(value, 3)(torch.randn(2, 3, 11, 13)).shape == (2, 2)


def test_with_fields_changes_every_part_of_a_kind_and_no_other() -> None:
    plain = with_fields(INCEPTION_A >> CLASSIFIER, Conv, norm=False, bias=True)
    model = build(plain, 3)
    assert not [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))
    assert with_fields(plain, Conv, norm=True, bias=False) == INCEPTION_A >> CLASSIFIER


def test_a_batch_norm_has_the_eps_of_its_layer() -> None:
    value = seq(conv(4, 3, eps=1e-5), batch_norm(eps=1e-4), global_avg_pool(), linear(8, norm=True, eps=0.1))
    norms = [module for module in build(value, 3).modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [module.eps for module in norms] == [1e-5, 1e-4, 0.1]


def test_values_compare_by_content_and_flatten() -> None:
    assert conv(8, 3) >> (conv(8, 1) >> conv(4, 1)) == seq(conv(8, 3), conv(8, 1), conv(4, 1))
    assert hash(INCEPTION_A) == hash(branches(*INCEPTION_A.paths))
    block = (conv(8, 3) >> conv(8, 1)).named("stem")
    assert (block >> conv(4, 1)).layers == (block, conv(4, 1))


def test_counting_needs_no_torch() -> None:
    code = (
        "import sys; from course_lib.architecture import conv, cost, split_5x5, total, diagram;"
        "total(split_5x5(conv(8, 5)), (3, 8, 8)); diagram(conv(8, 5), (3, 8, 8));"
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules); cost(conv(8, 5), (3, 8, 8));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
