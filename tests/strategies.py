"""Random architectures for property tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from course_lib.architecture import Node, avg_pool, batch_norm, branches, conv, max_pool, relu, residual, seq, split

WIDTHS = st.integers(1, 5)
KERNELS = st.one_of(st.integers(1, 5), st.tuples(st.integers(1, 5), st.integers(1, 5)))
PADDINGS = st.sampled_from(["same", "valid"])
EPSILONS = st.sampled_from([1e-3, 0.5])  # so different that one in the other's place shows
STRIDES = st.one_of(st.just(1), st.integers(1, 2), st.tuples(st.integers(1, 2), st.integers(1, 2)))


@st.composite
def convolutions(draw: st.DrawFn, stride: object = None, kernels: st.SearchStrategy = KERNELS) -> Node:
    return conv(
        draw(WIDTHS),
        draw(kernels),
        draw(STRIDES) if stride is None else stride,
        padding=draw(PADDINGS) if stride is None else "same",
        norm=draw(st.booleans()),
        bias=draw(st.none() | st.booleans()),
        activation=draw(st.sampled_from(["relu", "linear"])),
        eps=draw(EPSILONS),
    )


@st.composite
def pools(draw: st.DrawFn, pool_stride: object = None) -> Node:
    pool = draw(st.sampled_from([max_pool, avg_pool]))
    stride = draw(STRIDES) if pool_stride is None else pool_stride
    padding = draw(st.sampled_from(["same", "valid", "ceil"])) if pool_stride is None else "same"
    # An even kernel with "same" padding adds a pixel, which would never match its sibling branches.
    kernel = draw(KERNELS) if pool_stride is None else draw(st.sampled_from([1, 3, 5]))
    counts = {"count_include_pad": draw(st.booleans())} if pool is avg_pool else {}
    return pool(kernel, stride, padding=padding, **counts)


@st.composite
def joined(draw: st.DrawFn, depth: int) -> Node:
    """Branches whose grids agree: odd "same" kernels, one shared stride, and nested branches at the end of a path."""
    stride = draw(STRIDES)
    odd = st.sampled_from([1, 3, 5, (1, 3), (5, 1)])
    paths = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(convolutions(stride=stride, kernels=odd) | pools(pool_stride=stride))
        rest = [draw(convolutions(stride=1, kernels=odd)) for _ in range(draw(st.integers(0, 2)))]
        if depth and draw(st.booleans()):
            nested = [draw(convolutions(stride=1, kernels=odd)) for _ in range(draw(st.integers(1, 2)))]
            rest.append(branches(*nested))
        paths.append(seq(first, *rest))
    return branches(*paths)


@st.composite
def reductions(draw: st.DrawFn) -> Node:
    """A convolution and a pool side by side that shrink the grid alike, as the paper's grid reduction does."""
    kernel_size, stride, padding = draw(KERNELS), draw(STRIDES), draw(PADDINGS)
    pool = draw(st.sampled_from([max_pool, avg_pool]))
    return branches(
        conv(draw(WIDTHS), kernel_size, stride, padding=padding), pool(kernel_size, stride, padding=padding)
    )


@st.composite
def splits(draw: st.DrawFn) -> Node:
    """A convolution whose channels are split among paths of one grid."""
    widths = draw(st.lists(WIDTHS, min_size=1, max_size=3))
    odd = st.sampled_from([1, 3, (1, 3)])
    after = st.sampled_from([seq(), relu(), batch_norm(activation="linear")])
    paths = [draw(after) >> draw(st.just(seq()) | convolutions(stride=1, kernels=odd)) for _ in widths]
    return conv(sum(widths), 1) >> split(tuple(widths), *paths)


@st.composite
def grouped(draw: st.DrawFn) -> Node:
    """A convolution in groups, after one that gives it channels that the groups can share."""
    groups = draw(st.integers(1, 4))
    before, after = (groups * draw(st.integers(1, 3)) for _ in range(2))
    return conv(before, 1) >> replace(draw(convolutions()), channels=after, groups=groups)


@st.composite
def residuals(draw: st.DrawFn, channels: int) -> Node:
    inner = draw(convolutions(stride=1, kernels=st.sampled_from([1, 3]))) >> conv(channels, 1, activation="linear")
    return residual(inner, draw(st.floats(0.1, 1.0)), activation=draw(st.sampled_from(["relu", "linear"])))


@st.composite
def architectures(draw: st.DrawFn, max_parts: int = 4) -> Node:
    """A sequence of convolutions, pools, nested branches, splits, groups and residuals, of mixed strides, paddings."""
    parts: list[Node] = []
    for _ in range(draw(st.integers(1, max_parts))):
        kind = draw(st.sampled_from(["conv", "pool", "branches", "split", "reduction", "residual", "grouped"]))
        if kind == "conv":
            parts.append(draw(convolutions()))
        elif kind == "pool":
            parts.append(draw(pools()))
        elif kind == "branches":
            parts.append(draw(joined(depth=1)))
        elif kind == "split":
            parts.append(draw(splits()))
        elif kind == "reduction":
            parts.append(draw(reductions()))
        elif kind == "grouped":
            parts.append(draw(grouped()))
        else:
            width = draw(WIDTHS)
            parts += [conv(width, 1), draw(residuals(width))]
    return seq(*parts)
