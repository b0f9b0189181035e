"""Exercises of the lesson on grid reduction."""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any

import torch
import torch.nn.functional as F

from course_lib.architecture import (
    ArchitectureError,
    Branches,
    Conv,
    Node,
    Pool,
    avg_pool,
    branches,
    build,
    conv,
    cost,
    layers_of,
    max_pool,
    rewrite,
    seq,
    total,
    with_fields,
)
from course_lib.experiments.grid_reduction import WAYS, reduction
from course_lib.teaching.exercises import Exercise


def _counted_macs(way: str, grid: int, channels: int, kernel_size: int) -> int:
    return total(reduction(way, channels, kernel_size), (channels, grid, grid)).macs


def _macs(
    filters: dict[str, int] | None = None, sides: dict[str, int] | None = None
) -> Callable[[str, int, int, int], int]:
    """The formula with other filters (in multiples of k) or other divisors of the grid's sides for some ways."""
    factor = {"conv_pool": 2, "pool_conv": 2, "parallel": 1, "strided": 2} | (filters or {})
    divisor = {"conv_pool": 1, "pool_conv": 2, "parallel": 2, "strided": 2} | (sides or {})
    return lambda way, grid, k, n: n**2 * k * factor[way] * k * (grid // divisor[way]) ** 2


reduction_macs = Exercise(
    name="reduction-macs",
    difficulty="easy",
    minutes=5,
    hints=(
        (
            "A convolution costs n² · channels in · channels out at each place of its output. How many places "
            "has it in each way?"
        ),
        "Convolving first: grid² places. The other three: (grid / 2)² places.",
        "Beside the pool the convolution makes k channels only, as the pool hands on the other k; else it makes 2k.",
    ),
    reference=_counted_macs,
    cases=[*((way, 2, 1, 1) for way in WAYS), *((way, 4, 2, 3) for way in WAYS), *((way, 32, 64, 1) for way in WAYS)],
    random_case=lambda rng: (rng.choice(WAYS), 2 * rng.randint(1, 60), rng.randint(1, 512), rng.choice([1, 3, 5])),
    mistakes={
        "The window has n² places: the kernel's size counts squared.": lambda way, grid, k, n: (
            _macs()(way, grid, k, 1) * n
        ),
        "Convolving first, the convolution visits the large grid.": _macs(sides={"conv_pool": 2}),
        "Pooling first, the convolution visits the small grid.": _macs(sides={"pool_conv": 1}),
        "Beside the pool, the convolution moves with stride 2 and visits a quarter of the places.": _macs(
            sides={"parallel": 1}
        ),
        "A convolution with stride 2 visits every second row and column, a quarter of the places.": _macs(
            sides={"strided": 1}
        ),
        "Beside the pool, the convolution makes k channels; the pool hands on the others.": _macs(
            filters={"parallel": 2}
        ),
        "The convolution goes from k to 2k channels.": _macs(filters={"conv_pool": 1, "pool_conv": 1, "strided": 1}),
        "Those are operations; a MAC is a multiplication and an addition in one.": lambda way, grid, k, n: (
            2 * _macs()(way, grid, k, n)
        ),
        "The pool multiplies nothing.": lambda way, grid, k, n: (
            _macs()(way, grid, k, n) + (9 * k * (grid // 2) ** 2 if way == "parallel" else 0)
        ),
        "Each filter reads all k input channels.": lambda way, grid, k, n: _macs()(way, grid, k, n) // k,
        "The grid has grid · grid places.": lambda way, grid, k, n: (
            n**2 * k * (k if way == "parallel" else 2 * k) * (grid if way == "conv_pool" else grid // 2)
        ),
    },
)

_NARROWEST = {
    max_pool(3, 2) >> conv(32, 3): 16 * 8 * 8,
    conv(32, 3) >> max_pool(3, 2): 32 * 8 * 8,
    conv(16, 3) >> conv(2, 1) >> conv(64, 3): 2 * 16 * 16,
    conv(64, 3) >> conv(64, 3): 16 * 16 * 16,  # the input itself
    reduction("parallel", 16) >> conv(64, 3): 32 * 8 * 8,
    conv(64, 3) >> max_pool(3, 2) >> conv(4, 1): 4 * 8 * 8,  # the end
}
"""For an input of 16 channels on 16x16."""
_NARROWEST_OBLONG = {
    conv(32, 3) >> max_pool(3, 2) >> conv(64, 1): 6 * 24 * 12,
    max_pool(3, 2) >> conv(8, 1): 6 * 12 * 6,
}
"""For an input of 6 channels on 24x12."""


def _shapes(value: Node, input_shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    ends = range(1, len(value.layers) + 1)
    return [input_shape, *(total(seq(*value.layers[:end]), input_shape).out_shape for end in ends)]


narrowest = Exercise(
    name="narrowest",
    difficulty="medium",
    minutes=10,
    hints=(
        (
            "Which shapes pass through conv(32, 3) >> max_pool(3, 2)? There are three. Write them down for an "
            "input of (16, 16, 16)."
        ),
        "What leaves the first parts together is total(seq(*value.layers[:end]), input_shape).out_shape.",
        (
            "Collect input_shape and the shape after each end from 1 to the number of parts; the answer is the "
            "least product."
        ),
    ),
    reference=lambda value, _: (_NARROWEST | _NARROWEST_OBLONG)[value],
    cases=[
        *((value, (16, 16, 16)) for value in _NARROWEST),
        *((value, (6, 24, 12)) for value in _NARROWEST_OBLONG),
    ],
    mistakes={
        "The input counts as a place, too.": lambda v, s: min(map(prod, _shapes(v, s)[1:])),
        "The end counts as a place, too.": lambda v, s: min(map(prod, _shapes(v, s)[:-1])),
        "A place holds channels · height · width values; that is the number of channels.": lambda v, s: min(
            shape[0] for shape in _shapes(v, s)
        ),
        "A place holds channels · height · width values; the channels are missing.": lambda v, s: min(
            prod(shape[1:]) for shape in _shapes(v, s)
        ),
        "That is the widest place.": lambda v, s: max(map(prod, _shapes(v, s))),
        "That is what leaves the last part.": lambda v, s: prod(_shapes(v, s)[-1]),
        "Each part reads what the part before it gives, not the network's input.": lambda v, s: min(
            prod(s), *(prod(total(part, s).out_shape) for part in v.layers)
        ),
        "The grid need not be square: height and width both count.": lambda v, s: min(
            channels * height**2 for channels, height, _ in _shapes(v, s)
        ),
        "The input's shape is an argument, not always the same.": lambda v, _: min(map(prod, _shapes(v, (16, 16, 16)))),
        "The paths of branches are one step: what they join counts, not each path's share.": lambda v, s: min(
            prod(s), *cost(v, s)["activations"]
        ),
        "The number of values is asked for, not the place where they pass.": lambda v, s: (
            lambda sizes: sizes.index(min(sizes))
        )([prod(shape) for shape in _shapes(v, s)]),
        "That is the shape; its values are the product of the three.": lambda v, s: min(_shapes(v, s), key=prod),
    },
)

_BRANCHES = branches(conv(8, 1), max_pool(3) >> conv(8, 1))  # 16 channels, and a pool of stride 1 that must stay
_WIDENED = {
    max_pool(3, 2): conv(6, 1) >> max_pool(3, 2),
    avg_pool(3, 2): avg_pool(3, 2),
    conv(8, 3, 2): conv(8, 3, 2),
    max_pool(3): max_pool(3),
    max_pool(3, 3): conv(6, 1) >> max_pool(3, 3),
    max_pool(3, (2, 1)): conv(6, 1) >> max_pool(3, (2, 1)),
    max_pool(3, (1, 2)): conv(6, 1) >> max_pool(3, (1, 2)),
    conv(8, 3) >> max_pool(3, 2): conv(8, 3) >> conv(16, 1) >> max_pool(3, 2),
    conv(8, 3) >> avg_pool(2, 2): conv(8, 3) >> avg_pool(2, 2),
    max_pool(2, 2) >> max_pool(3, 2): conv(6, 1) >> max_pool(2, 2) >> conv(12, 1) >> max_pool(3, 2),
    branches(max_pool(3, 2), conv(8, 3, 2)): branches(conv(6, 1) >> max_pool(3, 2), conv(8, 3, 2)),
    _BRANCHES >> max_pool(3, 2): _BRANCHES >> conv(32, 1) >> max_pool(3, 2),
}


def _widening(
    change: Callable[[Pool, int], Node] = lambda part, channels: conv(2 * channels, 1) >> part,
    *,
    concerns: Callable[[Pool], bool] = lambda part: part.kind == "max" and part.stride != (1, 1),
) -> Callable[[Node, int], Node]:
    """A rewrite that applies `change` to the pools that it `concerns`."""
    return lambda value, in_channels: rewrite(
        value, lambda part, k: change(part, k) if isinstance(part, Pool) and concerns(part) else part, in_channels
    )


def _all_from_the_input(value: Node, in_channels: int) -> Node:
    return _widening(lambda part, _: conv(2 * in_channels, 1) >> part)(value, in_channels)


widen_before_pools = Exercise(
    name="widen-before-pools",
    difficulty="harder",
    minutes=15,
    hints=(
        (
            "Which parts are concerned? Look at the fields kind and stride of max_pool(3, 2), max_pool(3) and "
            "avg_pool(3, 2)."
        ),
        (
            "The rule gets the channels that reach the part; the 1×1 convolution has twice as many, and stands "
            "before the pool."
        ),
        (
            'isinstance(part, Pool) and part.kind == "max" and part.stride != (1, 1): return conv(2 * channels, '
            "1) >> part, else part."
        ),
    ),
    reference=lambda value, in_channels: _WIDENED[value],
    cases=[(value, 3) for value in _WIDENED],
    mistakes={
        "Nothing was replaced: rewrite returns a new value and leaves the old one as it is.": lambda value, _: value,
        "An average pool stays as it is.": _widening(concerns=lambda part: part.stride != (1, 1)),
        "A max pool with stride 1 shrinks nothing, so it stays as it is.": _widening(
            concerns=lambda p: p.kind == "max"
        ),
        "A stride above 1 is any but (1, 1), not (2, 2) alone.": _widening(
            concerns=lambda p: p.kind == "max" and p.stride == (2, 2)
        ),
        "A stride is a pair, (height, width); one of the two is looked at.": _widening(
            concerns=lambda p: p.kind == "max" and p.stride[0] > 1
        ),
        "That widens every pool; only a max pool with a stride above 1 is concerned.": _widening(
            concerns=lambda _: True
        ),
        "The 1×1 stands before the pool; behind it the bottleneck is still there.": _widening(
            lambda part, channels: part >> conv(2 * channels, 1)
        ),
        "The pool is to stay behind the 1×1.": _widening(lambda part, channels: conv(2 * channels, 1)),
        "The 1×1 makes twice the channels that arrive, not as many.": _widening(
            lambda p, channels: conv(channels, 1) >> p
        ),
        "The channels that arrive at the pool count, not those of the network's input.": _all_from_the_input,
        "A 1×1 convolution is asked for, not a larger window.": _widening(
            lambda p, channels: conv(2 * channels, 3) >> p
        ),
    },
)


def _smoothed(
    pictures: torch.Tensor, weights: tuple[float, ...] = (0.25, 0.5, 0.25), rows: bool = True, mode: str = "circular"
) -> torch.Tensor:
    """(N, C, H, W) pictures, each channel blurred by itself with these weights both ways, or along the row only."""
    line, channels = torch.tensor(weights), pictures.shape[1]
    window = line[:, None] * line if rows else torch.tensor([0.0, 1.0, 0.0])[:, None] * line
    return F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode=mode), window.expand(channels, 1, 3, 3), groups=channels)


def _every_second(pictures: torch.Tensor) -> torch.Tensor:
    return pictures[..., ::2, ::2]


def _stripes(size: int, channels: int) -> torch.Tensor:
    """Rows in turn 1 and 0, other channels half as bright each: what every second row of is one grey."""
    rows = torch.tensor([1.0, 0.0]).repeat(size // 2)[:, None].expand(size, size)
    return torch.stack([rows / 2**channel for channel in range(channels)])[None]


def _drawn(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


blurred_half = Exercise(
    name="blurred-half",
    difficulty="medium",
    minutes=10,
    hints=(
        "Give both steps stripes of two rows, one white and one black. Which of the steps may see them?",
        "Once every second row is gone, white stripes have become a white area. What can a blur still do about it?",
        "The blur has to see the whole picture: pad and convolve `pictures` first, and index what comes out.",
    ),
    reference=lambda pictures: _every_second(_smoothed(pictures)),
    cases=[(_stripes(4, 1),), (_drawn(1, 1, 4, 4),), (_drawn(2, 3, 8, 6),)],
    atol=1e-6,
    mistakes={
        "Every second pixel is taken first; what is folded by then no blur can take out.": lambda p: _smoothed(
            _every_second(p)
        ),
        "That takes every second pixel without a blur.": _every_second,
        "That blurs without taking every second pixel.": _smoothed,
        "The weights must sum to 1, or the picture changes its brightness.": lambda p: _every_second(
            _smoothed(p, (1.0, 2.0, 1.0))
        ),
        "That blurs along the rows only, and stripes across them stay.": lambda p: _every_second(
            _smoothed(p, rows=False)
        ),
        "The weights are 1, 2, 1; equal ones are another blur.": lambda p: _every_second(
            _smoothed(p, (1 / 3, 1 / 3, 1 / 3))
        ),
        "Beyond the edge the picture goes on at the opposite one; zeros make its border darker.": lambda p: (
            _every_second(_smoothed(p, mode="constant"))
        ),
        "Beyond the edge the picture goes on at the opposite one; that mirrors it.": lambda p: _every_second(
            _smoothed(p, mode="reflect")
        ),
        "Beyond the edge the picture goes on at the opposite one; that repeats its border.": lambda p: _every_second(
            _smoothed(p, mode="replicate")
        ),
        "After the blur every second pixel is taken as it is; that pools once more.": lambda p: F.avg_pool2d(
            _smoothed(p), 2
        ),
        "One blur is asked for, before the step; that blurs once more.": lambda p: _smoothed(
            _every_second(_smoothed(p))
        ),
        "That keeps the odd rows and columns; the even ones are asked for, beginning with 0.": lambda p: _smoothed(p)[
            ..., 1::2, 1::2
        ],
        "That is the average pool 2×2, whose windows have equal weights.": lambda p: F.avg_pool2d(p, 2),
        "Each channel is blurred by itself; that mixes them.": lambda p: (
            _every_second(_smoothed(p)).mean(1, keepdim=True).expand(-1, p.shape[1], -1, -1)
        ),
    },
)

_IN, _OUT, _BUDGET = (64, 32, 32), (128, 16, 16), 12_000_000


def _pooled_channels(value: Node, channels: int) -> int:
    """How many of the channels that leave have passed no convolution."""
    if isinstance(value, Branches):
        return sum(_pooled_channels(part, channels) for part in value.parts)
    parts = layers_of(value)
    if any(isinstance(part, Conv) for part in parts):
        return 0
    for part in parts:
        channels = _pooled_channels(part, channels) if isinstance(part, Branches) else channels
    return channels


def _read_share(value: Node) -> float:
    """Share of the pixels of the input that have an influence on what leaves."""
    linear = with_fields(value, Conv, norm=False, activation="linear")
    averaged = rewrite(linear, lambda part, _: replace(part, kind="avg") if isinstance(part, Pool) else part)
    picture = torch.rand(1, *_IN, requires_grad=True)
    build(averaged, _IN[0])(picture).square().sum().backward()
    return (picture.grad[0].abs().sum(0) > 0).double().mean().item()


def _judge_design(value: Any) -> str | None:
    """What speaks against this reduction, by the conditions in the lesson's text."""
    if not isinstance(value, Node):
        return "an architecture is expected, such as conv(128, 3, stride=2)"
    try:
        size = total(value, _IN)
    except ArchitectureError as error:
        return f"it cannot be built: {error}".removesuffix(".")
    if size.out_shape != _OUT:
        return f"{_written(size.out_shape)} leaves; {_written(_OUT)} is asked for"
    steps = layers_of(value)
    least = min(prod(total(part, _IN).out_shape) for part in accumulate(steps, lambda first, last: first >> last))
    if least < prod(_OUT):
        return f"a bottleneck: at its narrowest {least:,} values pass, fewer than the {prod(_OUT):,} that leave"
    if size.macs > _BUDGET:
        return f"{size.macs / 1e6:.1f} million MACs are more than the {_BUDGET / 1e6:.0f} million allowed"
    pooled = _pooled_channels(value, _IN[0])
    if pooled > _OUT[0] // 4:
        return f"{pooled} of the channels that leave have passed no convolution; {_OUT[0] // 4} are allowed"
    if (share := _read_share(value)) < 1:
        return f"only {share:.0%} of the pixels that come in have an influence on what leaves"
    return None


def _written(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


my_reduction = Exercise(
    name="my-reduction",
    difficulty="harder",
    minutes=15,
    hints=(
        "Convolution beside pool has no bottleneck and costs 9.4 million. Only the bare pool is against the rules.",
        "A 1×1 convolution is cheap on the small grid, and it may make few channels out of many before a 3×3.",
        "Beside conv(…, 1) >> conv(96, 3, stride=2) set max_pool(3, 2) >> conv(32, 1). How many channels for the dots?",
    ),
    judge=_judge_design,
    mistakes={
        "64×16×16 leaves; 128×16×16 is asked for": conv(64, 3, 2),
        "128×32×32 leaves; 128×16×16 is asked for": conv(128, 1),
        "a bottleneck: at its narrowest 16,384 values pass, fewer than the 32,768 that leave": (
            max_pool(3, 2) >> conv(128, 1)
        ),
        "a bottleneck: at its narrowest 8,192 values pass, fewer than the 32,768 that leave": (
            conv(8, 1) >> conv(128, 3, 2)
        ),
        "75.5 million MACs are more than the 12 million allowed": conv(128, 3) >> max_pool(3, 2),
        "18.9 million MACs are more than the 12 million allowed": conv(128, 3, 2),
        "64 of the channels that leave have passed no convolution; 32 are allowed": branches(
            conv(64, 3, 2), max_pool(3, 2)
        ),
        "only 25% of the pixels that come in have an influence on what leaves": conv(128, 1, 2),
        "an architecture is expected, such as conv(128, 3, stride=2)": conv,
        (
            "it cannot be built: 0: branches joined on channels need one grid, but they end as branch1 96x32x32, "
            "branch2 64x16x16; give them equal strides and padding"
        ): branches(conv(96, 3), max_pool(3, 2)),
    },
)
