"""Four ways to shrink a grid: their costs are the paper's formulas, their sizes those of the values themselves."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.architecture import ArchitectureError, avg_pool, branches, conv, max_pool, total
from course_lib.explorers.grid_reduction.result import WAYS, reduce_grid, reduction

CASES = st.tuples(
    st.integers(1, 60),
    st.integers(1, 40),
    st.sampled_from([1, 3, 5, 7]),
    st.integers(2, 5),
    st.sampled_from(WAYS),
)


@given(st.integers(1, 30), st.integers(1, 64), st.sampled_from([1, 3, 5]))
def test_costs_are_the_formulas_of_the_paper(half: int, k: int, n: int) -> None:
    d = 2 * half
    conv_pool, pool_conv, parallel, strided = (cost.total.macs for cost in reduce_grid(d, k, n, 2, "parallel").costs)
    assert conv_pool == n**2 * 2 * d**2 * k**2
    assert pool_conv == n**2 * 2 * (d // 2) ** 2 * k**2
    assert parallel == n**2 * (d // 2) ** 2 * k**2
    assert strided == pool_conv


@given(CASES)
def test_all_ways_lead_to_one_shape(case: tuple) -> None:
    grid, channels, _, stride, _ = case
    side = -(-grid // stride)  # rounded up, as padding "same" does
    assert {cost.shapes[-1] for cost in reduce_grid(*case).costs} == {(stride * channels, side, side)}


@given(CASES)
def test_shapes_and_sizes_are_those_of_the_value(case: tuple) -> None:
    result = reduce_grid(*case)
    for cost in result.costs:
        assert cost.total == total(cost.value, result.in_shape)
        assert cost.shapes[0] == result.in_shape
        assert cost.sizes == tuple(prod(shape) for shape in cost.shapes)
        assert sum(row.macs for row in cost.rows) == cost.total.macs <= result.most_macs


@given(CASES)
def test_only_a_pool_before_the_convolution_makes_a_bottleneck(case: tuple) -> None:
    narrow = {cost.way for cost in reduce_grid(*case).costs if cost.has_bottleneck}
    assert narrow == {"pool_conv"}


def test_the_values_are_those_of_the_papers_figures() -> None:
    assert reduction("conv_pool", 320) == conv(640, 3) >> max_pool(3, 2)
    assert reduction("pool_conv", 320) == max_pool(3, 2) >> conv(640, 3)
    assert reduction("parallel", 320) == branches(conv(320, 3, 2), max_pool(3, 2))


def test_the_fourth_way_is_one_convolution_and_an_average_takes_the_place_of_a_maximum() -> None:
    assert reduction("strided", 320) == reduction("strided", 320, pool="average") == conv(640, 3, 2)
    assert reduction("pool_conv", 320, pool="average") == avg_pool(3, 2) >> conv(640, 3)


@pytest.mark.parametrize("stride", [2, 3, 4, 5])
def test_the_pool_looks_at_every_pixel(stride: int) -> None:
    (pool, _) = reduction("pool_conv", 8, stride=stride).layers
    assert pool.kernel_size[0] >= stride
    assert pool.kernel_size[0] % 2 == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((32, 64, 3, 2, "sideways"), "way must be one of conv_pool, pool_conv, parallel, strided; got 'sideways'"),
        ((32, 64, 4, 2, "parallel"), "kernel_size must be odd and at least 1, such as 3; got 4"),
        ((32, 64, -1, 2, "parallel"), "kernel_size must be odd and at least 1, such as 3; got -1"),
        ((32, 64, 3, 1, "parallel"), "stride must be at least 2, or nothing shrinks; got 1"),
        ((0, 64, 3, 2, "parallel"), "input_shape is .* each at least 1; got"),
        ((32, 0, 3, 2, "parallel"), "channels must be whole and at least 1; got 0"),
    ],
)
def test_nonsense_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        reduce_grid(*arguments)


def test_an_unknown_way_is_named_by_reduction_too() -> None:
    with pytest.raises(
        ArchitectureError, match="way must be one of conv_pool, pool_conv, parallel, strided; got 'pool'"
    ):
        reduction("pool", 64)
    with pytest.raises(ArchitectureError, match="pool must be one of max, average; got 'median'"):
        reduction("pool_conv", 64, pool="median")


def test_the_summary_says_what_the_numbers_say() -> None:
    assert reduce_grid(32, 64, 3, 2, "pool_conv").summary == (
        "Pool, then convolution, kernel 3×3: 64 channels on 32×32 become 128 channels on 16×16 for 18.9 M MACs, 25.0% "
        "of the dearest way's. 65,536 values go in, 32,768 come out, and in between only 16,384 are left: a bottleneck."
    )
    assert "12.5% of the dearest way's" in reduce_grid(32, 64, 3, 2, "parallel").summary
    assert reduce_grid(32, 64, 3, 2, "parallel").summary.endswith("at no point are there fewer: no bottleneck.")
