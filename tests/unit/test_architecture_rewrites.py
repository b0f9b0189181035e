"""Rewrites change what they name, keep shapes and receptive fields, and leave the rest alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import architectures

from course_lib.architecture import (
    ArchitectureError,
    Conv,
    Node,
    auxiliary,
    avg_pool,
    branches,
    conv,
    factorize,
    global_avg_pool,
    linear,
    out_channels,
    peel_3x3,
    residual,
    rewrite,
    seq,
    split_5x5,
    total,
)

SHAPE = (8, 35, 35)


@given(
    kernel_size=st.sampled_from([5, 7, 9]),
    channels=st.integers(1, 32),
    stride=st.sampled_from([1, 2, (1, 2)]),
    padding=st.sampled_from(["same", "valid"]),
    rewriting=st.sampled_from(["peel", "row", "column"]),
)
def test_the_same_patch_is_seen_on_the_same_grid(
    kernel_size: int, channels: int, stride: object, padding: str, rewriting: str
) -> None:
    large = conv(channels, kernel_size, stride, padding=padding)
    small = peel_3x3(large, kernel_size) if rewriting == "peel" else factorize(large, kernel_size, first=rewriting)
    before, after = total(large, SHAPE), total(small, SHAPE)
    assert after.signal == before.signal


BARE = {"norm": False, "bias": False}


@pytest.mark.parametrize(
    ("before", "after", "saving"),
    [
        (conv(64, 5, **BARE), split_5x5(conv(64, 5, **BARE)), 1 - 18 / 25),  # 28 %, v3 paper section 3.1
        (conv(64, 3, **BARE), factorize(conv(64, 3, **BARE), 3), 1 - 6 / 9),  # 33 %, section 3.2
        (conv(64, 3, **BARE), conv(64, 2, **BARE) >> conv(64, 2, **BARE), 1 - 8 / 9),  # 11 %, section 3.2
        (conv(64, 7, **BARE), factorize(conv(64, 7, **BARE), 7), 1 - 14 / 49),
    ],
)
def test_savings_the_paper_states(before: Node, after: Node, saving: float) -> None:
    shape = (64, 17, 17)
    assert 1 - total(after, shape).params / total(before, shape).params == pytest.approx(saving)


def test_split_twice_factorises_seven() -> None:
    assert [layer.kernel_size for layer in split_5x5(peel_3x3(conv(32, 7), 7)).layers] == [(3, 3)] * 3


def test_linear_between_and_activation_after() -> None:
    first, second = split_5x5(conv(64, 5, activation="relu"), between="linear").layers
    assert (first.activation, second.activation) == ("linear", "relu")


def test_stride_and_name_stay_at_the_end() -> None:
    split = split_5x5(conv(64, 5, 2).named("reduce"))
    assert split.name == "reduce"
    assert [layer.stride for layer in split.layers] == [(1, 1), (2, 2)]


def test_factorize_gives_version_three_its_middle_blocks() -> None:
    """The 7x7 branch of v3's 17x17 block (figure 6): 1x1 128, then 1x7 128, then 7x1 192."""
    seven = conv(128, 1) >> conv(192, 7)
    assert factorize(seven, 7) == conv(128, 1) >> conv(128, (1, 7)) >> conv(192, (7, 1))


def test_input_channels_are_followed_through_branches() -> None:
    joined = branches(conv(8, 1), conv(24, 1)) >> avg_pool(3) >> conv(16, 7)
    assert factorize(joined, 7).layers[2].channels == 32
    unknown = branches(seq(), conv(8, 1)) >> conv(16, 7)
    assert factorize(unknown, 7).layers[1].channels == 16


def test_a_size_may_be_numpys() -> None:
    assert factorize(conv(8, 7), np.int64(7)) == factorize(conv(8, 7), 7)
    assert peel_3x3(conv(8, 7), np.int64(7)) == peel_3x3(conv(8, 7), 7)


def test_every_place_is_reached() -> None:
    five = conv(8, 5)
    value = residual(five) >> auxiliary(five >> global_avg_pool() >> linear(2), 0.3) >> branches(five, conv(8, 1))
    found: list[Conv] = []
    rewrite(split_5x5(value), lambda node, _: found.append(node) or node)
    assert not [node for node in found if isinstance(node, Conv) and node.kernel_size == (5, 5)]
    assert len([node for node in found if isinstance(node, Conv) and node.kernel_size == (3, 3)]) == 6


@given(architectures())
def test_what_has_no_such_kernel_stays_equal(value: Node) -> None:
    assert factorize(value, 11) == value
    assert rewrite(value, lambda node, _: node) == value


@given(architectures(), st.sampled_from([2, 3, 5]), st.sampled_from(["peel", "row", "column"]))
def test_rewritten_networks_give_the_same_grid_and_see_the_same_pixels(value: Node, size: int, how: str) -> None:
    try:
        before = total(value, (3, 30, 28))
    except ArchitectureError:
        assume(False)
    rewritten = split_5x5(value) if how == "peel" else factorize(value, size, first=how)
    assert total(rewritten, (3, 30, 28)).signal == before.signal


@given(architectures(), st.integers(1, 4))
def test_output_channels_survive(value: Node, in_channels: int) -> None:
    assert out_channels(factorize(split_5x5(value), 3), in_channels) == out_channels(value, in_channels)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: peel_3x3(conv(8, 4), 4), "odd kernel_size of at least 5, such as 5 or 7; got 4"),
        (lambda: factorize(3, conv(8, 3)), r"at least 2 can be factorised; got Conv\("),
        (lambda: factorize(3, 3), "a rewrite takes a value such as .* first; got 3"),
        (lambda: factorize(conv(8, 3), 1), "at least 2 can be factorised; got 1"),
        (lambda: factorize(conv(8, 3), 3, first="diagonal"), "'row' or 'column'; got 'diagonal'"),
    ],
)
def test_nonsense_is_named(make: object, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        make()
