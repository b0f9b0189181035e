"""Exercises of the lesson on the Inception module."""

import random
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.architecture import ArchitectureError, Branches, Node, avg_pool, branches, conv, max_pool, total
from course_lib.models import network, trunk
from course_lib.models.googlenet import MODULES, inception
from course_lib.teaching.exercises import Exercise

Pair = tuple[int, int]


def _counted(in_channels: int, grid: int, one: int, three: Pair, five: Pair, pool: int) -> int:
    return total(inception(one, three, five, pool), (in_channels, grid, grid)).macs


def _macs(
    *, windows: Pair = (9, 25), reads: Callable[[int, int], int] = lambda c, r: r, reduce: int = 1, first: int = 1
) -> Callable[[int, int, int, Pair, Pair, int], int]:
    """The formula with other windows, with windows that read something else, or without some of the 1x1."""
    small, large = windows
    return lambda c, g, one, three, five, pool: (
        g**2
        * (
            first * c * one
            + reduce * c * three[0]
            + small * reads(c, three[0]) * three[1]
            + reduce * c * five[0]
            + large * reads(c, five[0]) * five[1]
            + c * pool
        )
    )


def _random_module(rng: random.Random) -> tuple[int, int, int, Pair, Pair, int]:
    widths = [rng.randint(1, 64) for _ in range(6)]
    return rng.randint(1, 64), rng.randint(2, 28), widths[0], tuple(widths[1:3]), tuple(widths[3:5]), widths[5]


module_macs = Exercise(
    name="module-macs",
    difficulty="easy",
    minutes=10,
    hints=(
        "How many convolutions are there in the module? Each costs window · channels in · channels out at each place.",
        "Six: 1×1; 1×1 and 3×3; 1×1 and 5×5; and the 1×1 after the pool. What does each of them read?",
        "The 3×3 reads three[0] channels and makes three[1]; the four 1×1 read in_channels. Then times grid².",
    ),
    reference=_counted,
    cases=[(2, 2, 3, (2, 3), (1, 2), 1), (192, 28, *MODULES["3a"]), (832, 7, *MODULES["5b"])],
    random_case=_random_module,
    mistakes={
        "The 1×1 after the pool multiplies, too.": lambda c, g, one, three, five, pool: _macs()(
            c, g, one, three, five, 0
        ),
        "A window of 3×3 multiplies 9 times, one of 5×5 25 times.": _macs(windows=(3, 5)),
        "The windows read what the 1×1 before them leaves, not all channels that come in.": _macs(reads=lambda c, r: c),
        "The two 1×1 before the windows cost something, too.": _macs(reduce=0),
        "The branch of one 1×1 is missing.": _macs(first=0),
        "The branch of the 5×5 is missing.": lambda c, g, one, three, five, pool: _macs()(
            c, g, one, three, (0, 0), pool
        ),
        "The branch of the 3×3 is missing.": lambda c, g, one, three, five, pool: _macs()(
            c, g, one, (0, 0), five, pool
        ),
        "In a pair the channels of the 1×1 come first, those of the window second.": (
            lambda c, g, one, three, five, pool: _macs()(c, g, one, three[::-1], five[::-1], pool)
        ),
        "The windows stand on the second convolution of a branch, the 1×1 on the first.": (
            lambda c, g, one, three, five, pool: (
                g**2 * (c * (one + 9 * three[0] + 25 * five[0] + pool) + three[0] * three[1] + five[0] * five[1])
            )
        ),
        "A max pool compares values, it multiplies none.": lambda c, g, *widths: _macs()(c, g, *widths) + 9 * c * g**2,
        "The 1×1 after the pool has a window of one place; only the pool's is 3×3.": (
            lambda c, g, one, three, five, pool: _macs()(c, g, one, three, five, 9 * pool)
        ),
        "Biases are not counted.": lambda c, g, one, three, five, pool: (
            _macs()(c, g, one, three, five, pool) + g**2 * (one + sum(three) + sum(five) + pool)
        ),
        "A multiplication with its addition is one MAC, not two.": lambda *sizes: 2 * _macs()(*sizes),
        "The grid has grid · grid places.": lambda c, g, *widths: _macs()(c, g, *widths) // g,
        "That is what one place costs; the grid has grid · grid of them.": lambda c, g, *widths: _macs()(c, 1, *widths),
    },
)


def _tensors(out_channels: int, in_channels: int, *, pictures: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 * out_channels + in_channels)
    x = torch.randn(pictures, in_channels, height, width, generator=generator)
    return torch.randn(out_channels, in_channels, generator=generator), x


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


one_by_one = Exercise(
    name="one-by-one",
    difficulty="medium",
    minutes=10,
    hints=(
        "Print x.reshape(-1, in_channels)[0] for a picture whose channel 0 is all zeros and channel 1 all ones.",
        "Each row must hold the channels of one place. For that the channels must be the last axis before the reshape.",
        "x.permute(0, 2, 3, 1) @ weight.T has its channels last; permute(0, 3, 1, 2) brings them back.",
    ),
    reference=lambda weight, x: torch.einsum("oc,nchw->nohw", weight, x),
    rtol=1e-4,
    atol=1e-5,
    cases=[
        _tensors(2, 3, pictures=1, height=2, width=2),
        _tensors(3, 3, pictures=2, height=3, width=3),
        _tensors(4, 2, pictures=2, height=2, width=4),
    ],
    mistakes={
        "reshape moves nothing: its rows mix channels and places.": lambda w, x: (
            x.reshape(-1, x.shape[1]) @ w.T
        ).reshape(len(x), len(w), *x.shape[2:]),
        "After the product the channels are last; reshape does not bring them back, permute does.": lambda w, x: (
            _channels_last(x) @ w.T
        ).reshape(len(x), len(w), *x.shape[2:]),
        "The result is to have its channels second, as x has.": lambda w, x: _channels_last(x) @ w.T,
        "Height and width have changed places.": lambda w, x: (_channels_last(x) @ w.T).permute(0, 3, 2, 1),
        "Each place has an answer of its own; that is the mean over all places.": lambda w, x: (
            torch.einsum("oc,nchw->nohw", w, x).mean((2, 3), keepdim=True).expand(-1, -1, *x.shape[2:])
        ),
        "Channels are added up with their weights, not multiplied one by one.": lambda w, x: (
            w.sum(1)[None, :, None, None] * x.sum(1, keepdim=True)
        ),
        "A 1×1 convolution alone has no ReLU.": lambda w, x: torch.einsum("oc,nchw->nohw", w, x).relu(),
        "A place's answer is the weighted sum over its channels, not their mean.": lambda w, x: (
            torch.einsum("oc,nchw->nohw", w, x) / x.shape[1]
        ),
        "Each picture has an answer of its own; that is the first one's for all.": lambda w, x: torch.einsum(
            "oc,nchw->nohw", w, x[:1]
        ).expand(len(x), -1, -1, -1),
        "The places are to keep their height and width; flattening must be undone.": lambda w, x: w @ x.flatten(2),
        "With several pictures, that product mixes them: each picture is to stay by itself.": lambda w, x: (
            w @ x.reshape(x.shape[1], -1)
        ).reshape(len(x), len(w), *x.shape[2:]),
    },
)


def _least_side(grid: int) -> int:
    return trunk(network("googlenet")).grid_before((grid, grid), False)[0]


needed_side = Exercise(
    name="needed-side",
    difficulty="medium",
    minutes=10,
    hints=(
        "Go backwards. Which is the smallest grid of which a 3×3 pool with stride 2 makes 1? And of which it makes 2?",
        "Of n the pool makes half, rounded up or down? Look at 2 -> 1 and at 3 -> 1, then at 4 -> 2.",
        "Each pool needs at least twice the grid; the first convolution makes (side + 1) // 2.",
    ),
    reference=_least_side,
    cases=[(1,), (2,), (3,), (7,), (8,), (14,)],
    mistakes={
        "One pixel less is enough: the first convolution rounds up.": lambda grid: 32 * grid,
        "There are five layers of stride 2: the first convolution and four pools.": lambda grid: 16 * grid - 1,
        "Five layers of stride 2, not six: the average pool at the end does not count.": lambda grid: 64 * grid - 1,
        "Each layer of stride 2 doubles what is needed; five of them make 32, not 10.": lambda grid: 10 * grid,
        "That side gives this grid only if no last window were cut off; go backwards, pool by pool.": lambda grid: (
            32 * (grid - 1) + 1
        ),
        "A single place is too small for a 3×3 pool without padding: PyTorch raises an error.": lambda grid: (
            32 * grid - 1 if grid > 1 else 1
        ),
        "The last window of a pool hangs over: a pool makes 1 of 2, not only of 3.": lambda grid: 32 * grid + 29,
        "The grid asked for is the last one, on which 5b works, not the one before pool4.": lambda grid: (
            16 * grid - 1 if grid > 1 else 31
        ),
    },
)

_SHAPE = (192, 28, 28)
_LIMIT = 0.5


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _judge_module(answer: object) -> str | None:
    if not isinstance(answer, Branches):
        return f"give a value made by branches(...), not {_with_article(type(answer).__name__)}"
    try:
        size, paths = total(answer, _SHAPE), [total(path, _SHAPE) for path in answer.paths]
    except ArchitectureError as error:
        return f"the module does not fit its input: {str(error).removesuffix('.')}"
    if size.out_shape != (256, 28, 28):
        channels, height, width = size.out_shape
        return f"it gives {channels} channels on {height}×{width}; 256 on 28×28 are asked for"
    patches = {path.receptive_field for path in paths}
    if len(patches) < 3:
        return f"its branches see {len(patches)} different patches; at least three are asked for"
    if max(min(patch) for patch in patches) < 5:
        return "no branch sees 5×5 places"
    share = size.macs / total(inception(*MODULES["3a"]), _SHAPE).macs
    if share > _LIMIT:
        return f"it costs {share:.0%} of block 3a's multiplications; half is the limit"
    return None


def _module(three: Node, five: Node, one: int = 96) -> Branches:
    return branches(conv(one, 1), three, five, max_pool(3) >> conv(32, 1))


_SMALL = conv(32, 1) >> conv(96, 3)
_DEEP = conv(16, 1) >> conv(32, 3) >> conv(32, 3)

cheaper_module = Exercise(
    name="cheaper-module",
    difficulty="harder",
    minutes=15,
    hints=(
        "Which branch of 3a costs most? The explorer shows it. What in that branch can be made narrower?",
        "Two 3×3 in a row see 5×5. And the cheapest channels are those of the branch of one 1×1.",
        "Before the 3×3 a third of the channels, after it fewer, too; the 1×1 branch makes those that are missing.",
    ),
    judge=_judge_module,
    mistakes={
        "give a value made by branches(...), not a Sequence": conv(64, 1) >> conv(256, 3),
        "it gives 288 channels on 28×28; 256 on 28×28 are asked for": _module(_SMALL, _DEEP, one=128),
        "it gives 256 channels on 14×14; 256 on 28×28 are asked for": branches(
            conv(128, 1, 2), conv(64, 3, 2), conv(64, 5, 2)
        ),
        "its branches see 2 different patches; at least three are asked for": _module(
            _SMALL, conv(16, 1) >> conv(32, 3)
        ),
        "no branch sees 5×5 places": branches(
            conv(192, 1), conv(16, 1) >> conv(32, 3), conv(16, 1) >> conv(32, (1, 5))
        ),
        "it costs 100% of block 3a's multiplications; half is the limit": inception(*MODULES["3a"]),
        "it costs 211% of block 3a's multiplications; half is the limit": branches(
            conv(96, 1), conv(96, 3), conv(32, 5), avg_pool(3) >> conv(32, 1)
        ),
    },
)


def _random_features(seed: int, widths: tuple[int, ...]) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    generator = torch.Generator().manual_seed(seed)
    channels = sum(widths)
    return torch.randn(2, channels, 3, 2, generator=generator), torch.randn(channels, generator=generator), widths


def _evidence(features: Tensor, weight: Tensor, widths: tuple[int, ...]) -> Tensor:
    by_place = torch.einsum("nchw,c->nchw", features, weight).flatten(2).mean(2)
    return torch.stack([part.sum(1) for part in by_place.split(list(widths), 1)], 1)


branch_evidence = Exercise(
    name="branch-evidence",
    difficulty="harder",
    minutes=15,
    hints=(
        "What does the classifier do with one channel? It takes the mean over its places, then multiplies by a weight.",
        "The channels of a branch lie side by side: split(list(widths), dim=1) cuts a tensor into branches.",
        "(features.mean((2, 3)) * weight).split(list(widths), 1), each part summed over dim 1, all stacked in dim 1.",
    ),
    reference=_evidence,
    rtol=1e-4,
    atol=1e-5,
    cases=[_random_features(0, (1, 2)), _random_features(1, (2, 2, 2)), _random_features(2, (4, 1, 3, 2))],
    mistakes={
        "The classifier takes the mean over the places, not the sum.": lambda f, w, s: 6 * _evidence(f, w, s),
        "The channels of a branch are added up, not averaged.": lambda f, w, s: _evidence(f, w, s) / torch.tensor(s),
        "Each channel counts with its weight; here all weigh 1.": lambda f, w, s: _evidence(f, torch.ones_like(w), s),
        "Branches differ in width; these are equal cuts.": lambda f, w, s: torch.stack(
            [part.sum(1) for part in (f.mean((2, 3)) * w).tensor_split(len(s), 1)], 1
        ),
        "Evidence has a sign: what speaks against the class counts, too.": lambda f, w, s: torch.stack(
            [part.abs().sum(1) for part in (f.mean((2, 3)) * w).split(list(s), 1)], 1
        ),
        "That adds up all branches; one number a branch is asked for.": lambda f, w, s: _evidence(f, w, s).sum(1),
        "One row a picture and one column a branch: this is turned.": lambda f, w, s: _evidence(f, w, s).T,
        "The classifier takes the mean over the places, not the largest.": lambda f, w, s: _evidence(
            f.amax((2, 3), keepdim=True), w, s
        ),
        "Asked for is what each branch adds, not its share of the sum.": lambda f, w, s: (
            _evidence(f, w, s) / _evidence(f, w, s).sum(1, keepdim=True)
        ),
        "Each branch begins where the one before it ends; these all begin at channel 0.": lambda f, w, s: torch.stack(
            [(f.mean((2, 3)) * w)[:, :width].sum(1) for width in s], 1
        ),
        "Each branch is to stand for itself; these are sums of it and all before it.": lambda f, w, s: _evidence(
            f, w, s
        ).cumsum(1),
        "Each channel meets its own weight before channels are added up.": lambda f, w, s: torch.stack(
            [
                part.sum(1) * own.sum()
                for part, own in zip(f.mean((2, 3)).split(list(s), 1), w.split(list(s)), strict=True)
            ],
            1,
        ),
        "Evidence has a sign: channels that speak against the class count, too.": lambda f, w, s: torch.stack(
            [part.relu().sum(1) for part in (f.mean((2, 3)) * w).split(list(s), 1)], 1
        ),
        "One row a picture is asked for; this is the mean over the pictures.": lambda f, w, s: _evidence(f, w, s).mean(
            0
        ),
    },
)
