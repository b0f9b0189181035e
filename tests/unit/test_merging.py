"""Rewrites that only save time: same outputs, statistics and gradients, same cost, weights back to the bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import EPSILONS, architectures

from course_lib.architecture import (
    ArchitectureError,
    Node,
    NormAct,
    avg_pool,
    batch_norm,
    branches,
    build,
    conv,
    cost,
    global_avg_pool,
    linear,
    max_pool,
    merge,
    merge_siblings,
    move_before_pool,
    relu,
    seq,
    split,
    total,
)
from course_lib.architecture.building import Network
from course_lib.architecture.merging import join_norms
from course_lib.models import create_model, merge_model, merged_state_dict, unmerged_state_dict

SHAPE = (3, 9, 10)
BLOCK = branches(
    conv(4, 1),
    conv(3, 1) >> conv(5, 3),
    conv(2, 1) >> conv(4, 3) >> branches(conv(3, (1, 3)), conv(3, (3, 1))),
    avg_pool(3) >> conv(6, 1),
)
ONE_BY_ONE = st.builds(
    conv,
    st.integers(1, 4),
    st.just(1),
    norm=st.booleans(),
    bias=st.none() | st.booleans(),
    activation=st.sampled_from(["relu", "linear"]),
    eps=EPSILONS,
)


@st.composite
def blocks(draw: st.DrawFn) -> Node:
    """Inception blocks with all that can and cannot be merged side by side."""
    paths = []
    for _ in range(draw(st.integers(1, 4))):
        opening = draw(st.sampled_from(["1x1", "avg", "avg counting padding", "max", "3x3"]))
        pools = {"avg": avg_pool(3), "avg counting padding": avg_pool(3, count_include_pad=True), "max": max_pool(3)}
        first = draw(ONE_BY_ONE)
        if opening in pools:
            first = pools[opening] >> first
        elif opening == "3x3":
            first = conv(draw(st.integers(1, 3)), 3)
        path = seq(first, *[draw(ONE_BY_ONE) for _ in range(draw(st.integers(0, 1)))])
        paths.append(path.named(f"path{len(paths)}") if draw(st.booleans()) else path)
    return branches(*paths).named(draw(st.sampled_from(["", "block"])))


VALUES = st.one_of(architectures(), blocks())


def random_model(value: Node) -> Network:
    """In float64, with random weights and statistics: of a fresh batch norm a wrong order would not show."""
    model = build(value, SHAPE[0]).double()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.dim():
            low = 0.5 if name.endswith(("running_var", "bn.weight")) else -0.5
            tensor.uniform_(low, low + 1, generator=generator)
    return model


@given(VALUES, st.sampled_from([merge, join_norms, move_before_pool, merge_siblings]), st.booleans())
def test_outputs_and_cost_stay(value: Node, rewriting: object, training: bool) -> None:
    try:
        before = total(value, SHAPE)
    except ArchitectureError:
        assume(False)
    rewritten = rewriting(value)
    after = total(rewritten, SHAPE)
    assert (after.params, after.macs, after.signal) == (before.params, before.macs, before.signal)
    model = random_model(value).train(training)
    other = build(rewritten, SHAPE[0]).double().train(training)
    other.load_state_dict(merged_state_dict(value, model.state_dict(), by=rewriting))
    x = torch.randn(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other(x), model(x), rtol=1e-7, atol=1e-9)


@given(VALUES)
def test_weights_return_to_the_bit(value: Node) -> None:
    weights = random_model(value).state_dict()
    merged = merged_state_dict(value, weights)
    assert {key: tensor.shape for key, tensor in build(merge(value), SHAPE[0]).state_dict().items()} == {
        key: tensor.shape for key, tensor in merged.items()
    }
    returned = unmerged_state_dict(value, merged)
    assert returned.keys() == weights.keys()
    assert all(torch.equal(returned[key], weights[key]) for key in weights)


def test_an_inception_block_reads_its_input_once() -> None:
    """Four 1x1 become one, the pool works on its 6 channels only, and what follows the join is one batch norm."""
    assert merge(BLOCK) == seq(
        conv(15, 1, norm=False, bias=False, activation="linear"),
        split(
            (4, 3, 2, 6),
            seq(),
            batch_norm() >> conv(5, 3, activation="linear", norm=False, bias=False),
            seq(
                batch_norm(),
                conv(4, 3),
                branches(*(conv(3, k, activation="linear", norm=False, bias=False) for k in ((1, 3), (3, 1)))),
            ),
            seq(avg_pool(3)),
        ),
        batch_norm(),
    )


def test_siblings_with_one_batch_norm_and_relu_share_them() -> None:
    before = branches(conv(4, 1) >> conv(2, 3), conv(6, 1) >> conv(2, 5), max_pool(3))
    after = branches(conv(10, 1) >> split((4, 6), seq(conv(2, 3)), seq(conv(2, 5))), max_pool(3))
    assert merge_siblings(before) == after


@pytest.mark.parametrize(
    "value",
    [
        branches(conv(4, 1), conv(4, 1, 2)),
        branches(conv(4, 1), max_pool(3) >> conv(4, 1)),
        branches(conv(4, 1), conv(4, 3) >> conv(4, 1), conv(4, 1)),
        branches(conv(4, 1, bias=True), conv(4, 1)),
        max_pool(3) >> conv(4, 1),
        avg_pool(3, 2) >> conv(4, 1),
        avg_pool(3, padding="valid") >> conv(4, 1),
        avg_pool(2) >> conv(4, 1),
        avg_pool(3) >> conv(4, 3),
        avg_pool(3) >> conv(4, 1, 2),
        avg_pool(3, count_include_pad=True) >> conv(4, 1, norm=False),
    ],
)
def test_what_would_change_or_cost_more_is_left_alone(value: Node) -> None:
    assert merge_siblings(move_before_pool(value)) == value


def test_a_bias_goes_before_a_pool_that_counts_no_padding() -> None:
    moved = move_before_pool(avg_pool(3) >> conv(4, 1, norm=False))
    assert moved == conv(4, 1, norm=False, activation="linear") >> avg_pool(3) >> relu()


def test_loss_and_gradients_in_training_are_those_of_the_network_unmerged() -> None:
    torch.manual_seed(0)
    plain = create_model("small_inception", 10, aux=True)
    merged = merge_model(plain)
    x, labels = torch.randn(4, 3, 28, 28), torch.randint(0, 10, (4,))
    losses = []
    for model in (plain, merged):
        out = model(x)
        losses.append(sum(torch.nn.functional.cross_entropy(logits, labels) for logits in out))
        losses[-1].backward()
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    gradients = unmerged_state_dict(plain.architecture, {key: p.grad for key, p in merged.named_parameters()})
    for key, parameter in plain.named_parameters():
        difference = (gradients[key] - parameter.grad).norm() / parameter.grad.norm()
        assert difference < 1e-5, (key, difference)
    statistics = unmerged_state_dict(plain.architecture, merged.state_dict())
    for key, tensor in plain.state_dict().items():
        torch.testing.assert_close(statistics[key], tensor, rtol=1e-5, atol=1e-6)


def test_a_model_made_merged_begins_with_the_same_weights() -> None:
    torch.manual_seed(0)
    plain = create_model("small_inception", 10).eval()
    torch.manual_seed(0)
    merged = create_model("small_inception", 10, merged=True)
    assert merged.training
    assert merged.architecture == merge(plain.architecture)
    assert merged.name == "small_inception"
    returned = unmerged_state_dict(plain.architecture, merged.state_dict())
    assert all(torch.equal(returned[key], tensor) for key, tensor in plain.state_dict().items())
    assert all(parameter.requires_grad for parameter in merged.parameters())


def test_rows_of_split_and_norm_act() -> None:
    value = conv(6, 1) >> split((4, 2), seq(), batch_norm() >> conv(3, 3)) >> relu() >> batch_norm(activation="linear")
    table = cost(value, (3, 8, 8))
    assert table.loc["1.branch2.0", "params"] == 2 * 2
    assert table.loc["1.branch2.1", "macs"] == 2 * 3 * 9 * 64
    assert list(table["out_shape"])[-2:] == [(7, 8, 8)] * 2
    assert list(table["operation"][-2:]) == ["relu", "batch norm"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: split((4, 2), seq()), "split: give one width a path; got 2 widths and 1 paths"),
        (lambda: split((4, 0), seq(), seq()), r"widths must be whole and at least 1; got \(4, 0\)"),
        (lambda: split((4,), 4), "a path must be a value .* got 4"),
        (lambda: cost(split((4, 2), seq(), seq()).named("s"), (3, 8, 8)), r"s: the widths 4 \+ 2 must add up to the 3"),
        (lambda: build(split((4, 2), seq(), seq()), 3), r"0: the widths 4 \+ 2 must add up to the 3 channels"),
        (lambda: cost(global_avg_pool() >> linear(4) >> batch_norm(), (3, 8, 8)), "needs an input of .* the flat 4"),
        (lambda: merged_state_dict(conv(4, 1), {}), "not of a network built from value: 0.bn is missing"),
        (
            lambda: unmerged_state_dict(BLOCK, build(BLOCK, 3).state_dict()),
            r"not of a network built from merge\(value\): 0.conv is missing",
        ),
        (lambda: merge_model(create_model("small_inception", 10)[:3]), "a whole network made by create_model or build"),
    ],
)
def test_nonsense_is_named(make: object, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        make()


def test_where_weights_come_from_is_no_part_of_the_value() -> None:
    assert NormAct(True, "relu", origin=("a",)) == batch_norm()
    assert repr(NormAct(True, "relu", origin=("a",))) == repr(batch_norm())
