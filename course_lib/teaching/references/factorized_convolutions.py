"""Exercises of the lesson on factorized convolutions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from course_lib.architecture import (
    Conv,
    Node,
    Pool,
    avg_pool,
    branches,
    conv,
    depthwise_conv,
    factorize,
    max_pool,
    rewrite,
    total,
)
from course_lib.experiments.factorized_layers import CHANNELS, design_problem, thrice
from course_lib.teaching.exercises import Exercise


def _saved_by_3x3(kernel_size: int) -> float:
    seen, stack = 3, 1
    while seen < kernel_size:  # each further 3x3 sees one pixel more on either side
        seen, stack = seen + 2, stack + 1
    return 1 - 9 * stack / kernel_size**2


stack_saving = Exercise(
    name="stack-saving",
    difficulty="easy",
    minutes=5,
    hints=(
        "How many pixels does the patch grow in each direction when one more 3×3 is put after a layer?",
        "By 2. It is 3 after the first, 5 after the second, so n is reached after (n - 1) / 2 of them.",
        "They have 9 weights each for a pair of channels, the n×n has n². The share saved is what is missing to 1.",
    ),
    reference=_saved_by_3x3,
    cases=[(5,), (7,), (9,), (11,), (3,)],
    mistakes={
        "That is the share that is left, not the share that is saved.": lambda n: 9 * (n - 1) / 2 / n**2,
        "Two 3×3 see a 5×5 patch; a larger one takes more of them.": lambda n: 1 - 18 / n**2,
        "The first 3×3 sees 3 pixels, each further one 2 more: that makes (n - 1) / 2 of them, not n / 2.": lambda n: (
            1 - 9 * (n / 2) / n**2
        ),
        "Each 3×3 widens the patch by 2 pixels, not by 1.": lambda n: 1 - 9 * (n - 2) / n**2,
        "A 3×3 has 9 weights for each pair of channels, not 3.": lambda n: 1 - 3 * (n - 1) / 2 / n**2,
        "The first of the (n - 1) / 2 windows of 3×3 sees 3 pixels already.": lambda n: 1 - 9 * (n + 1) / 2 / n**2,
        "That is how many weights are saved; divide by those of n×n for the share.": lambda n: n**2 - 9 * (n - 1) / 2,
        "The saving is a share of what the n×n costs, not of what the stack costs.": lambda n: (
            n**2 / (4.5 * (n - 1)) - 1
        ),
        "That is in per cent; a share lies between 0 and 1.": lambda n: 100 * (1 - 9 * (n - 1) / 2 / n**2),
    },
)


def _counted_saving(kernel_size: int) -> float:
    large = conv(16, kernel_size)
    return 1 - total(factorize(large, kernel_size), (16, 24, 24)).macs / total(large, (16, 24, 24)).macs


pair_saving = Exercise(
    name="pair-saving",
    difficulty="easy",
    minutes=5,
    hints=(
        (
            "How many weights has the n×n window for each pair of an input and an output channel, and how many "
            "has each of the two?"
        ),
        "n×n has n². 1×n has n, and n×1 has n once more.",
        "Of n² weights 2n are left, the share 2n / n². The share saved is what is missing to 1.",
    ),
    reference=_counted_saving,
    cases=[(3,), (5,), (7,), (11,)],
    mistakes={
        "That is the share that is left, not the share that is saved.": lambda n: 2 / n,
        "That counts one of the two convolutions only.": lambda n: 1 - 1 / n,
        "That is the saving of two 3×3; this pair is 1×n and n×1.": lambda n: 1 - 18 / n**2,
        "1×n has n weights for each pair of channels, not one.": lambda n: 1 - 2 / n**2,
        "That is in per cent; a share lies between 0 and 1.": lambda n: 100 * (1 - 2 / n),
        "// rounds down to a whole number; / divides.": lambda n: 1 - 2 // n,
        "That is how many weights are saved; divide by those of n×n for the share.": lambda n: n**2 - 2 * n,
        "The pixel where row and column cross is multiplied in both: 2n, not 2n - 1.": lambda n: 1 - (2 * n - 1) / n**2,
        "That is the saving of a stack of 3×3; this pair is 1×n and n×1.": lambda n: 1 - 9 * (n - 1) / 2 / n**2,
    },
)

Layers = Sequence[tuple[int, int]]


def _patch(
    layers: Layers,
    grow: Callable[[int, int, int], int] = lambda seen, kernel, apart: seen + (kernel - 1) * apart,
    spread: Callable[[int, int], int] = lambda apart, stride: apart * stride,
    *,
    first: int = 1,
    spread_first: bool = False,
) -> int:
    """Pixels seen in one direction; `apart` is how far neighbouring units lie from each other in the picture."""
    seen, apart = first, 1
    for kernel, stride in layers:
        after = spread(apart, stride)
        seen, apart = grow(seen, kernel, after if spread_first else apart), after
    return seen


patch_seen = Exercise(
    name="patch-seen",
    difficulty="medium",
    minutes=10,
    hints=(
        "Go through the function by hand for one layer, a 3×3 with stride 2. How many pixels does one unit of it see?",
        "Three. The function says five: at which line does the stride enter, and whose neighbours does it set apart?",
        (
            "A layer reads units that lie `apart` pixels from each other, where `apart` comes from the layers before "
            "it. So `seen` has to grow before `apart` takes in the layer's own stride."
        ),
    ),
    reference=_patch,
    cases=[
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2)],),
        ([(3, 1), (3, 2)],),
        ([(3, 2), (3, 1)],),
        ([(7, 2), (3, 2), (3, 1)],),
        ([(1, 1), (2, 2), (2, 2), (3, 1)],),
    ],
    mistakes={
        (
            "That is still the planted bug: a layer's stride sets apart what the next layer reads, not what it reads "
            "itself."
        ): lambda layers: _patch(layers, spread_first=True),
        "A window of n adds n - 1 pixels, not n: one of them was seen before.": lambda layers: _patch(
            layers, lambda seen, kernel, apart: seen + kernel * apart
        ),
        "The strides are left out: after a stride of 2, neighbours lie two pixels apart.": lambda layers: _patch(
            layers, spread=lambda apart, _: apart
        ),
        "Strides multiply: after two strides of 2, neighbours lie 4 pixels apart.": lambda layers: _patch(
            layers, spread=lambda apart, stride: apart + stride - 1
        ),
        "Windows one after the other add up; they do not multiply.": lambda layers: _patch(
            layers, lambda seen, kernel, _: seen * kernel
        ),
        "Before any layer one pixel is seen: start from 1.": lambda layers: _patch(layers, first=0),
        "Only the strides before a layer count, not the stride of the last one alone.": lambda layers: _patch(
            layers, spread=lambda _, stride: stride
        ),
        "The strides that count are those of the layers before, not of those after.": lambda layers: _patch(
            layers[::-1]
        ),
        "A layer's own stride sets apart what the next one reads; those before it multiply up.": lambda layers: (
            1 + sum((kernel - 1) * stride for kernel, stride in layers)
        ),
        "A window of n reaches n - 1 pixels further, both sides together, not half as many.": lambda layers: _patch(
            layers, lambda seen, kernel, apart: seen + kernel // 2 * apart
        ),
        "Only what a layer adds is spread by the stride, not what was seen before.": lambda layers: _patch(
            layers, lambda seen, kernel, apart: (seen + kernel - 1) * apart
        ),
    },
)


def _widest_by_trial(kernel_size: int, in_channels: int, out_channels: int) -> int:
    large = kernel_size**2 * in_channels * out_channels
    middle = 1
    while kernel_size * (middle + 1) * (in_channels + out_channels) <= large:
        middle += 1
    return middle


widest_middle = Exercise(
    name="widest-middle",
    difficulty="medium",
    minutes=10,
    hints=(
        "Write down the weights of 1×n from in_channels to middle, and of n×1 from middle to out_channels.",
        (
            "The pair has n · middle · (in_channels + out_channels) weights, the large one n² · in_channels · "
            "out_channels."
        ),
        "Set both equal, solve for middle, and round down to a whole number.",
    ),
    reference=_widest_by_trial,
    cases=[(3, 1, 1), (3, 2, 2), (3, 2, 1), (3, 64, 64), (7, 128, 128), (7, 128, 192), (5, 16, 32)],
    random_case=lambda rng: (rng.choice([3, 5, 7]), rng.randint(4, 256), rng.randint(4, 256)),
    mistakes={
        "A number of channels is whole: round down.": lambda n, i, o: n * i * o / (i + o),
        "Rounded up, the pair has more weights than the n×n convolution.": lambda n, i, o: -(-n * i * o // (i + o)),
        "Rounded to the nearest, the pair may have more weights.": lambda n, i, o: round(n * i * o / (i + o)),
        "The pair may have just as many weights, too: no more, but not fewer.": lambda n, i, o: (
            (n * i * o - 1) // (i + o)
        ),
        "n² on one side and n on the other leave one n.": lambda n, i, o: i * o // (i + o),
        "Each of the two convolutions has n weights for a pair of channels, not one.": lambda n, i, o: (
            n * n * i * o // (i + o)
        ),
        "That holds where in_channels and out_channels are equal.": lambda n, i, o: n * i // 2,
        "That is the width with which a pair imitates any n×n, whatever it costs.": lambda n, i, o: n * min(i, o),
        "The n×1 has weights as well: n for each pair of a middle and an output channel.": lambda n, i, o: n * o,
        "Solve for middle: in_channels + out_channels is not halved.": lambda n, i, o: 2 * n * i * o // (i + o),
        "Count the weights; in_channels and out_channels do not average.": lambda n, i, o: n * (i + o) // 4,
    },
)


def _counted_share(kernel_size: int, in_channels: int, out_channels: int) -> float:
    shape = (in_channels, 12, 12)
    separable = depthwise_conv(in_channels, kernel_size) >> conv(out_channels, 1)
    return total(separable, shape).macs / total(conv(out_channels, kernel_size), shape).macs


separable_share = Exercise(
    name="separable-share",
    difficulty="medium",
    minutes=10,
    hints=(
        "At one place of the grid: how many numbers does the depthwise n×n multiply, and how many the 1×1?",
        "The depthwise n² · in_channels, the 1×1 in_channels · out_channels, the n×n n² · in_channels · out_channels.",
        "Divide the sum of the first two by the third; in_channels cancels. The rest is a sum of two fractions.",
    ),
    reference=_counted_share,
    cases=[(3, 16, 16), (3, 64, 64), (7, 16, 16), (3, 8, 32), (7, 64, 16)],
    mistakes={
        "That is the share that is saved, not the share that is left.": lambda n, i, o: 1 - 1 / o - 1 / n**2,
        "The 1×1 that mixes the channels is missing.": lambda n, i, o: 1 / o,
        "The depthwise n×n before the 1×1 is missing.": lambda n, i, o: 1 / n**2,
        "A depthwise window has n² weights for each channel, not for each pair of channels.": lambda n, i, o: (
            1 + 1 / n**2
        ),
        "Channels are filtered before they are mixed: there are in_channels windows, not out_channels.": (
            lambda n, i, o: 1 / i + 1 / n**2
        ),
        "n×n has n² weights for each pair of channels, not n.": lambda n, i, o: 1 / o + 1 / n,
        "The two convolutions' multiplications add up; they do not multiply.": lambda n, i, o: i / n**2,
        "That is how many are left; divide by those of n×n for the share.": lambda n, i, o: n**2 * i + i * o,
        "The large one is divided by the separable one; it is the other way round.": lambda n, i, o: (
            n**2 * o / (n**2 + o)
        ),
        "The two shares that are left add up; they do not multiply.": lambda n, i, o: 1 / (o * n**2),
        "That is in per cent; a share lies between 0 and 1.": lambda n, i, o: 100 * (1 / o + 1 / n**2),
    },
)

_BLOCK = branches(conv(8, 1), conv(16, 3), avg_pool(3) >> conv(8, 1), conv(8, 3, 2))


def _two(channels: int, **options: object) -> Node:
    return conv(channels, 2, **options) >> conv(channels, 2, padding="valid", **options)


_SPLIT = {
    conv(8, 3): _two(8),
    conv(8, 3, 2): conv(8, 3, 2),
    max_pool(3): max_pool(3),
    conv(8, 5): conv(8, 5),
    conv(8, (1, 3)): conv(8, (1, 3)),
    conv(8, 3, activation="linear"): _two(8, activation="linear"),
    conv(8, 3, norm=False): _two(8, norm=False),
    conv(8, 3, bias=True): _two(8, bias=True),
    conv(8, 3, groups=2): _two(8, groups=2),
    conv(4, 1) >> conv(16, 3): conv(4, 1) >> _two(16),
    _BLOCK: branches(conv(8, 1), _two(16), avg_pool(3) >> conv(8, 1), conv(8, 3, 2)),
}


def _splitting(
    change: Callable[[Conv], Node] = lambda part: (
        replace(part, kernel_size=(2, 2)) >> replace(part, kernel_size=(2, 2), padding="valid")
    ),
    *,
    concerns: Callable[[Node], bool] = lambda part: part.kernel_size == (3, 3) and part.stride == (1, 1),
) -> Callable[[Node], Node]:
    """A rewrite that applies `change` to the convolutions that it `concerns`."""
    return lambda value: rewrite(value, lambda p, _: change(p) if isinstance(p, Conv) and concerns(p) else p)


def _halved(part: Conv) -> Node:
    first = replace(part, kernel_size=(2, 2), channels=max(1, part.channels // 2))
    return first >> replace(part, kernel_size=(2, 2), padding="valid")


def _pools_as_well(value: Node) -> Node:
    def rule(part: Node, _: int | None) -> Node:
        if not isinstance(part, Conv | Pool) or part.kernel_size != (3, 3) or part.stride != (1, 1):
            return part
        return replace(part, kernel_size=(2, 2)) >> replace(part, kernel_size=(2, 2), padding="valid")

    return rewrite(value, rule)


split_3x3 = Exercise(
    name="split-3x3",
    difficulty="harder",
    minutes=15,
    hints=(
        (
            "Which fields of a part tell that it is a 3×3 convolution with stride 1? Print one of conv(8, 3) and "
            "one of max_pool(3)."
        ),
        (
            "replace(part, kernel_size=(2, 2)) makes a part that differs in this field only: its widths and its "
            "flags stay."
        ),
        (
            "In rule, return the part itself unless it is a 3×3 convolution with stride 1; else two such parts "
            'joined by >>, the second with padding="valid".'
        ),
    ),
    reference=_SPLIT.__getitem__,
    cases=[(value,) for value in _SPLIT],
    mistakes={
        "Nothing was replaced: rewrite returns a new value and leaves the old one as it is.": lambda value: value,
        "Two 2×2 padded alike do not keep the shape: the second takes a row and a column away.": _splitting(
            lambda part: replace(part, kernel_size=(2, 2)) >> replace(part, kernel_size=(2, 2))
        ),
        "The padding stands the wrong way round: first same, then valid.": _splitting(
            lambda part: replace(part, kernel_size=(2, 2), padding="valid") >> replace(part, kernel_size=(2, 2))
        ),
        "A convolution with a stride stays as it is.": _splitting(concerns=lambda part: part.kernel_size == (3, 3)),
        "A pool is no convolution; it stays as it is.": _pools_as_well,
        "Only 3×3 is to be split, not every window.": _splitting(
            concerns=lambda part: part.kernel_size != (1, 1) and part.stride == (1, 1)
        ),
        "Both 2×2 have as many channels as the 3×3 had.": _splitting(_halved),
        "One 2×2 sees only a 2×2 patch; it takes two.": _splitting(lambda part: replace(part, kernel_size=(2, 2))),
        "Padded valid twice, the output loses two rows and two columns; the first is padded same.": _splitting(
            lambda part: replace(part, kernel_size=2, padding="valid") >> replace(part, kernel_size=2, padding="valid")
        ),
        "Groups were lost: a convolution in groups stays one, and replace() keeps them.": _splitting(
            lambda part: _two(part.channels, norm=part.norm, bias=part.bias, activation=part.activation)
        ),
        "Both 2×2 keep the 3×3's activation: a linear one between them, or none, is another layer.": _splitting(
            lambda part: (
                replace(part, kernel_size=(2, 2), activation="linear")
                >> replace(part, kernel_size=(2, 2), padding="valid")
            )
        ),
        "Flags were lost (batch norm, bias, activation): replace() keeps what conv() sets anew.": _splitting(
            lambda part: _two(part.channels)
        ),
        "Parts inside sequences and branches are to be split, too.": lambda value: (
            _two(value.channels, norm=value.norm, bias=value.bias, activation=value.activation)
            if isinstance(value, Conv) and value.kernel_size == (3, 3) and value.stride == (1, 1)
            else value
        ),
    },
)


own_replacement = Exercise(
    name="own-replacement",
    difficulty="harder",
    minutes=20,
    hints=(
        (
            "What costs: large windows, many channels, or both at once? Which part of the lesson made one of them "
            "small while the other was large?"
        ),
        (
            "Three ways lead there: few channels while windows are large, with a 1×1 before and after; large windows "
            "that do not mix channels, and a 1×1 that does; both."
        ),
        (
            "Such as conv(4, 1), then the pair of conv(4, (1, 7)) and conv(4, (7, 1)) three times, then conv(16, 1). "
            "Count it with total(value, (16, 14, 14)), then look for a design that you would rather train."
        ),
    ),
    judge=design_problem,
    mistakes={
        "it costs 100% of the three 7×7; 20% is the most": thrice(conv(CHANNELS, 7)),
        "it costs 29% of the three 7×7; 20% is the most": factorize(thrice(conv(CHANNELS, 7)), 7),
        "it sees 3x3 pixels; the three 7×7 see 19x19": conv(CHANNELS, 3),
        "it sees 1x19 pixels; the three 7×7 see 19x19": thrice(conv(4, (1, 7))) >> conv(CHANNELS, 1),
        "it has no weights, so it cannot learn": max_pool(19),
        "its output is 16x7x7; 16x14x14 has to come out, as it goes in": conv(4, 1) >> conv(CHANNELS, 19, 2),
        "its output is 8x14x14; 16x14x14 has to come out, as it goes in": conv(4, 1) >> conv(8, 19),
        "its output channel 0 does not depend on input channel 1: mix the channels": thrice(
            depthwise_conv(CHANNELS, 7)
        ),
        "it sees a patch with holes, such as a cross, and nowhere a full 19x19": (
            conv(4, 1) >> branches(conv(8, (1, 19)), conv(8, (19, 1)))
        ),
        "a value such as conv(16, 3) >> conv(16, 3) is expected, not a module, a class or a text": torch.nn.Identity(),
    },
)
