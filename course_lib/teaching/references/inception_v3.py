"""Exercises of the lesson on Inception-v3."""

import math
import random
from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn

from course_lib.architecture import Branches, Conv, Node, avg_pool, branches, conv, max_pool, seq, shape_text, total
from course_lib.teaching.exercises import Exercise


def _counted_saving(channels: int, squeezed: int, kernel_size: int) -> float:
    grid = (channels, 8, 8)
    pair = conv(squeezed, 1) >> conv(channels, kernel_size)
    return 1 - total(pair, grid).macs / total(conv(channels, kernel_size), grid).macs


def _left(channels: int, squeezed: int, n: int) -> float:
    return (squeezed + n**2 * squeezed) / (n**2 * channels)


squeeze_saving = Exercise(
    name="squeeze-saving",
    difficulty="easy",
    minutes=5,
    hints=(
        "At one place: how many multiplications has the n×n alone, how many the 1×1, how many the n×n behind it?",
        "Alone n²·k·k. Before it k·s, behind that n²·s·k.",
        "What is left is (k·s + n²·s·k) / (n²·k·k). What is saved?",
    ),
    reference=_counted_saving,
    cases=[(64, 16, 3), (64, 32, 3), (192, 48, 5), (64, 64, 3)],
    random_case=lambda rng: (rng.randint(8, 512), rng.randint(1, 256), rng.choice([3, 5, 7])),
    mistakes={
        "That is the share that is left, not the share that is saved.": _left,
        "The 1×1 costs k·s multiplications, too.": lambda k, s, n: 1 - s / k,
        "A window of n×n has n² places, not n.": lambda k, s, n: 1 - (s + n * s) / (n * k),
        "The n×n behind the 1×1 goes back to k channels, not to s.": lambda k, s, n: (
            1 - (k * s + n**2 * s**2) / (n**2 * k**2)
        ),
        "The 1×1 has one weight a pair of channels, not n².": lambda k, s, n: 1 - 2 * s / k,
        "That is a number of multiplications a place; a share is asked for.": lambda k, s, n: float(
            n**2 * k * k - k * s - n**2 * s * k
        ),
    },
)


def _widest_by_trial(depth: int, budget: int) -> int:
    return max(width for width in range(16, 2049, 16) if 9 * depth * width**2 <= budget)


def _rounded(depth: int, budget: int, rounding: Callable[[float], int]) -> int:
    return 16 * rounding(math.sqrt(budget / (9 * depth)) / 16)


def _drawn_budget(rng: random.Random) -> tuple[int, int]:
    depth = rng.randint(1, 40)
    return depth, 9 * depth * rng.randint(17, 1000) ** 2 + rng.randint(0, 500)


widest = Exercise(
    name="widest",
    difficulty="easy",
    minutes=5,
    hints=(
        "Nine weights for each pair of channels: how many multiplications at one place has a layer from w to w?",
        "9·w² a layer, depth · 9 · w² in all. Solve for w.",
        "w is at most √(budget / (9 · depth)); round down to a multiple of 16, as more would be over the budget.",
    ),
    reference=_widest_by_trial,
    cases=[(9, 82_944), (1, 82_944), (4, 82_944), (36, 82_944), (2, 82_944), (3, 10_000)],
    random_case=_drawn_budget,
    mistakes={
        "That is over the budget: round down.": lambda d, b: _rounded(d, b, math.ceil) if b != 82_944 else 16 * 99,
        "The nearest multiple of 16 may lie above the budget: round down.": lambda d, b: _rounded(d, b, round),
        "The width must be a multiple of 16.": lambda d, b: math.isqrt(b // (9 * d)),
        "The cost grows with the square of the width: take the root.": lambda d, b: 16 * (b // (9 * d) // 16),
        "A 3×3 window has nine places.": lambda d, b: 16 * int(math.sqrt(b / d) / 16),
        "The budget is for all layers, not for each.": lambda d, b: 16 * int(math.sqrt(b / 9) / 16),
    },
)


def block_c_value(inner: int) -> Branches:
    """Block C without names, from 768 channels to 768."""
    return branches(
        conv(192, 1),
        conv(inner, 1) >> conv(inner, (1, 7)) >> conv(192, (7, 1)),
        seq(conv(inner, 1), conv(inner, (7, 1)), conv(inner, (1, 7)), conv(inner, (7, 1)), conv(192, (1, 7))),
        avg_pool(3) >> conv(192, 1),
    )


_TALL, _FLAT = (7, 1), (1, 7)


def _block_c(
    inner: int,
    *,
    second: tuple[tuple[int, int], ...] = (_FLAT, _TALL),
    third: tuple[tuple[int, int], ...] = (_TALL, _FLAT, _TALL, _FLAT),
    last: int = 192,
    pool: Node | None = None,
    reduce: bool = True,
) -> Branches:
    """Block C with one thing changed."""

    def line(kernels: tuple[tuple[int, int], ...]) -> Node:
        widths = [inner] * (len(kernels) - 1) + [last]
        opening = [conv(inner, 1)] if reduce else []
        return seq(*opening, *(conv(width, kernel) for width, kernel in zip(widths, kernels, strict=True)))

    return branches(conv(192, 1), line(second), line(third), (pool or avg_pool(3)) >> conv(192, 1))


block_c = Exercise(
    name="block-c",
    difficulty="medium",
    minutes=10,
    hints=(
        "How many branches are there, and how many layers has each? Draw them first.",
        "conv(160, (1, 7)) is a window of one row and seven columns. Only the last layer of a branch has 192 channels.",
        (
            "branches(conv(192, 1), conv(inner, 1) >> conv(inner, (1, 7)) >> conv(192, (7, 1)), the same way the third "
            "with four lines of seven, avg_pool(3) >> conv(192, 1))."
        ),
    ),
    reference=block_c_value,
    cases=[(128,), (160,), (192,)],
    mistakes={
        "In the second branch the flat window, 1×7, comes first.": lambda c: _block_c(c, second=(_TALL, _FLAT)),
        "In the third branch the tall window, 7×1, comes first.": lambda c: _block_c(
            c, third=(_FLAT, _TALL, _FLAT, _TALL)
        ),
        "The third branch holds two pairs, four windows of seven.": lambda c: _block_c(c, third=(_TALL, _FLAT)),
        "The last layer of a branch has 192 channels, not the inner width.": lambda c: _block_c(c, last=c + 8),
        "The pool is an average pool.": lambda c: _block_c(c, pool=max_pool(3)),
        "A 1×1 to the inner width begins the second and the third branch.": lambda c: _block_c(c, reduce=False),
        "The inner width is the argument, not always 128.": lambda c: _block_c(128 if c > 128 else 112),
        "The 7×7 is to be factorised, into 1×7 and 7×1.": lambda c: _block_c(
            c, second=((7, 7),), third=((7, 7), (7, 7))
        ),
    },
)


def _folded_by_torch(weight: Tensor, bias: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    weight, bias = nn.utils.fusion.fuse_conv_bn_weights(
        weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return weight.detach(), bias.detach()


def _folding(
    scale: Callable[[nn.BatchNorm2d], Tensor] = lambda n: n.weight / torch.sqrt(n.running_var + n.eps),
    bias: Callable[[Tensor, nn.BatchNorm2d, Tensor], Tensor] = lambda b, n, s: (b - n.running_mean) * s + n.bias,
    shape: tuple[int, ...] = (-1, 1, 1, 1),
) -> Callable[[Tensor, Tensor, nn.BatchNorm2d], tuple[Tensor, Tensor]]:
    """The right way with one thing changed."""

    @torch.no_grad()
    def fold(weight: Tensor, b: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
        s = scale(norm)
        return weight * s.reshape(shape), bias(b, norm, s)

    return fold


fold_with_bug = _folding(bias=lambda b, n, s: b - n.running_mean * s + n.bias)
"""Right wherever the convolution has no bias, and so in every network of the family: the planted bug."""


def _normed(seed: int, channels: int, *, bias: bool = True) -> tuple[Tensor, Tensor, nn.BatchNorm2d]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    norm = nn.BatchNorm2d(channels, eps=0.01).double().eval()
    with torch.no_grad():
        norm.weight.copy_(draw(channels))
        norm.bias.copy_(draw(channels))
        norm.running_mean.copy_(draw(channels))
        norm.running_var.copy_(draw(channels).square() + 0.05)
    return draw(channels, channels, 1, 1), draw(channels) * bias, norm


fold = Exercise(
    name="fold",
    difficulty="medium",
    minutes=10,
    hints=(
        "Compare both on a convolution with a bias. In which of weight and bias is the difference?",
        "Batch norm does scale · (y - μ) + β to y = W·x + b. Where does b stand in it?",
        "b is shifted by μ and then scaled as the weights are: (b - μ) · scale + β.",
    ),
    reference=_folded_by_torch,
    cases=[_normed(0, 3, bias=False), _normed(1, 3), _normed(2, 5)],
    atol=1e-9,
    mistakes={
        "A bias of the convolution's own is scaled, too: that is the bug.": fold_with_bug,
        "β is missing.": _folding(bias=lambda b, n, s: (b - n.running_mean) * s),
        "The mean is subtracted, not added.": _folding(bias=lambda b, n, s: (b + n.running_mean) * s + n.bias),
        "ε is missing under the root.": _folding(scale=lambda n: n.weight / torch.sqrt(n.running_var)),
        "ε stands under the root, not beside it.": _folding(
            scale=lambda n: n.weight / (torch.sqrt(n.running_var) + n.eps)
        ),
        "The variance's root divides, not the variance.": _folding(scale=lambda n: n.weight / (n.running_var + n.eps)),
        "Batch norm's own factor, its weight, is missing.": _folding(
            scale=lambda n: 1 / torch.sqrt(n.running_var + n.eps)
        ),
        "The scale belongs to the output channels, the first dimension of the weight.": _folding(shape=(1, -1, 1, 1)),
        "The convolution's bias is lost.": _folding(bias=lambda b, n, s: n.bias - n.running_mean * s),
    },
)


def _joined(layers: list[nn.Conv2d]) -> tuple[Tensor, Tensor, list[int]]:
    weights, biases = [layer.weight.detach() for layer in layers], [layer.bias.detach() for layer in layers]
    return torch.cat(weights), torch.cat(biases), [layer.out_channels for layer in layers]


def _siblings(seed: int, in_channels: int, *widths: int) -> tuple[list[nn.Conv2d]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ([nn.Conv2d(in_channels, width, 1) for width in widths],)


merge_siblings = Exercise(
    name="merge-siblings",
    difficulty="medium",
    minutes=10,
    hints=(
        "One row of the weight makes one output channel. Which rows has the layer that makes all channels?",
        "A Conv2d's weight has shape (out, in, 1, 1): the siblings have one `in`, and their `out`s stand one below "
        "another.",
        "torch.cat of the weights and of the biases along dimension 0; the widths are each layer's out_channels.",
    ),
    reference=_joined,
    cases=[_siblings(0, 4, 2, 3), _siblings(1, 6, 6, 6, 6), _siblings(2, 3, 5)],
    mistakes={
        "The siblings read the same input channels; join them along the output channels, dimension 0.": lambda ls: (
            torch.cat([layer.weight.detach().transpose(0, 1) for layer in ls], 1),
            *_joined(ls)[1:],
        ),
        "The order of the layers is kept.": lambda ls: (_joined(ls[::-1])[0], *_joined(ls)[1:]),
        "The biases are joined, too, not added.": lambda ls: (
            _joined(ls)[0],
            torch.stack([layer.bias.detach().sum() for layer in ls]),
            _joined(ls)[2],
        ),
        "The last are the widths, by which the result is taken apart, not their sum.": lambda ls: (
            *_joined(ls)[:2],
            sum(_joined(ls)[2]),
        ),
        "That is the first layer alone.": lambda ls: _joined(ls[:1]) if len(ls) > 1 else _joined(ls * 2),
        "The widths are output channels, not input channels.": lambda ls: (
            *_joined(ls)[:2],
            [layer.in_channels for layer in ls],
        ),
    },
)

TARGET = (1280, 8, 8)
START = (768, 17, 17)
MOST_MACS = 150_000_000


def _judge_reduction(value: Node) -> str | None:
    """What is wrong with a block that is to take the place of v3's last reduction; None if nothing."""
    if not isinstance(value, Node):
        return f"a value such as branches(conv(64, 1), …) is asked for; this is a {type(value).__name__}"
    size = total(value, START)
    if size.out_shape != TARGET:
        return f"it gives {size.out_shape}; {TARGET} is asked for"
    if size.macs > MOST_MACS:
        return f"it costs {size.macs:,} MACs; at most {MOST_MACS:,} are asked for"
    if min(size.receptive_field) < 5:
        return f"one unit of it sees {size.receptive_field} places; at least (5, 5) are asked for"
    for path in value.paths if isinstance(value, Branches) else (value,):
        problem = _bottleneck(path)
        if problem:
            return problem
    return None


def _bottleneck(path: Node) -> str | None:
    """A sentence if a branch is at some place narrower than what it hands on."""
    parts = seq(path).layers
    shapes = [total(seq(*parts[:end]), START).out_shape for end in range(1, len(parts) + 1)]
    if any(prod(shape) < prod(shapes[-1]) for shape in shapes):
        return f"a branch holds fewer values on its way than it hands on: {', '.join(map(shape_text, shapes))}"
    return None


_POOL = max_pool(3, 2, padding="valid")


def _strided(width: int) -> Conv:
    return conv(width, 3, 2, padding="valid")


own_reduction = Exercise(
    name="own-reduction",
    difficulty="harder",
    minutes=15,
    hints=(
        "Which branch of v3's own reduction costs nothing, and how many of the 1280 channels does it give?",
        "A pool gives 768; 512 are left for convolutions. Where do they cost less: before or behind a 1×1 to fewer "
        "channels?",
        "Give the 512 to two branches that begin with a 1×1 to some 96 channels and end in a 3×3 with stride 2 and "
        'padding="valid"; one of them holds another 3×3 before that.',
    ),
    mistakes={
        "a value such as branches(conv(64, 1), …) is asked for; this is a tuple": (TARGET, MOST_MACS),
        "it gives (1280, 9, 9); (1280, 8, 8) is asked for": branches(conv(512, 3, 2), max_pool(3, 2)),
        "it gives (1536, 8, 8); (1280, 8, 8) is asked for": branches(conv(96, 1) >> _strided(768), _POOL),
        "it costs 226,492,416 MACs; at most 150,000,000 are asked for": branches(_strided(512), _POOL),
        "one unit of it sees (3, 3) places; at least (5, 5) are asked for": branches(
            conv(96, 1) >> _strided(512), _POOL
        ),
        "a branch holds fewer values on its way than it hands on: 8x17x17, 8x17x17, 512x8x8": branches(
            conv(8, 1) >> conv(8, 3) >> _strided(512), _POOL
        ),
    },
    judge=_judge_reduction,
)
