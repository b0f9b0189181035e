"""Exercises of the lesson on factorized convolutions."""

from collections.abc import Callable
from dataclasses import replace

from course_lib.architecture import Conv, Node, Pool, avg_pool, branches, conv, factorize, max_pool, rewrite, total
from course_lib.teaching.exercises import Exercise


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
