"""Exercises of the lesson on auxiliary classifiers."""

import math
from collections.abc import Callable

import numpy as np

from course_lib.architecture import Sequence, seq
from course_lib.experiments.auxiliary_network import deep_network, head
from course_lib.teaching.exercises import Exercise


def _by_going_down(share: float, factor: float) -> int:
    layers, square = 0, 1.0
    while square > share**2:
        layers, square = layers + 1, square * factor
    return layers


def _ratio(share: float, factor: float) -> float:
    return 2 * math.log(share) / math.log(factor)


layers_until = Exercise(
    name="layers-until",
    difficulty="easy",
    minutes=5,
    hints=(
        "If the mean square is multiplied by factor, by what is the norm multiplied?",
        "By √factor a layer: after n layers the norm is factor^(n/2) of what it was. Which n makes that at most share?",
        "n is at least 2 · ln(share) / ln(factor), and whole: round up.",
    ),
    reference=_by_going_down,
    # Powers of two have no rounding error: with them the norm falls to exactly the share.
    cases=[(0.5, 0.25), (0.25, 0.25), (0.5, 1 / 6), (1e-3, 1 / 6), (1e-6, 1 / 6), (1e-3, 0.9)],
    random_case=lambda rng: (10 ** -rng.uniform(0.1, 8), rng.uniform(0.1, 0.95)),
    mistakes={
        "factor belongs to the mean square; the norm falls by its root.": lambda share, factor: math.ceil(
            math.log(share) / math.log(factor)
        ),
        "The norm falls by the root of factor, not by its square.": lambda share, factor: math.ceil(
            math.log(share) / math.log(factor) / 2
        ),
        "After so many layers the norm is still above share: round up.": lambda share, factor: math.floor(
            _ratio(share, factor)
        ),
        "A number of layers is whole: round up.": _ratio,
        "Rounded to the nearest, the norm may still be above share: round up.": lambda s, f: round(_ratio(s, f)),
        "A norm that is equal to share counts, too: to share, or below.": lambda s, f: math.floor(_ratio(s, f)) + 1,
    },
)


def _weight_by_roots(gain: float, main: float, head_norm: float, cosine: float) -> float:
    roots = np.roots([head_norm**2, 2 * main * head_norm * cosine, (1 - gain**2) * main**2])
    return float(roots.max())


weight_for = Exercise(
    name="weight-for",
    difficulty="medium",
    minutes=10,
    hints=(
        "What is the squared length of g + w·h, in terms of main, head_norm, cosine and w?",
        "main² + 2·w·main·head_norm·cosine + w²·head_norm², and it is to be gain²·main². That is quadratic in w.",
        "Divide by main² and write x = w·head_norm/main: x² + 2·cosine·x + 1 - gain² = 0. Take the positive root.",
    ),
    reference=_weight_by_roots,
    cases=[(2.0, 1.0, 1.0, 1.0), (2.0, 1.0, 1.0, 0.0), (2.0, 3.0, 4.0, 0.0), (2.0, 1.0, 1.0, -0.5)],
    random_case=lambda rng: (rng.uniform(1.1, 9), rng.uniform(0.1, 5), rng.uniform(0.1, 5), rng.uniform(-0.9, 0.9)),
    mistakes={
        "That is the negative root; the weight is positive.": lambda gain, main, h, c: (
            main / h * (-math.sqrt(c**2 + gain**2 - 1) - c)
        ),
        "That holds if both gradients point the same way; the angle counts.": lambda gain, main, h, c: (
            (gain - 1) * main / h
        ),
        "That holds if the gradients are at right angles; the cosine counts.": lambda gain, main, h, c: (
            main / h * math.sqrt(gain**2 - 1)
        ),
        "A longer gradient of the head needs a smaller weight: main / head_norm.": lambda gain, main, h, c: (
            h / main * (math.sqrt(c**2 + gain**2 - 1) - c)
        ),
        "The cosine has the other sign: a head that pulls the same way needs less weight.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + gain**2 - 1) + c)
        ),
        "Lengths enter squared, and so does gain.": lambda gain, main, h, c: (
            main / h * (math.sqrt(c**2 + gain - 1) - c)
        ),
        "That is w·head_norm/main; the two norms are missing.": lambda gain, main, h, c: (
            math.sqrt(c**2 + gain**2 - 1) - c
        ),
    },
)

_WITH_HEAD = {
    (deep_network(), 3): deep_network((3,)),
    (deep_network(), 8): deep_network((8,)),
    (deep_network((3,)), 6): deep_network((3, 6)),
    (deep_network((3, 6), batch_norm=True), 1): deep_network((1, 3, 6), batch_norm=True),
}


def _adding(
    *,
    find: Callable[[list[str], int], int] = lambda names, number: names.index(f"module{number}") + 1,
    named: str = "head{}",
    keep: bool = True,
    **options: float,
) -> Callable[[Sequence, int], Sequence]:
    """`add_head` with another place, another name or another head."""

    def add(value: Sequence, number: int) -> Sequence:
        place = find([part.name for part in value.layers], number)
        new = head(**{"bn_aux": False, "weight": 0.3} | options).named(named.format(number))
        before, after = value.layers[:place], value.layers[place:]
        others = [part for part in (*before, new, *after) if keep or part is new or not part.name.startswith("head")]
        return seq(*others)

    return add


add_head = Exercise(
    name="add-head",
    difficulty="harder",
    minutes=15,
    hints=(
        "At which place of value.layers does module3 stand? Print the names of the parts; there are others among them.",
        'The place is one behind [part.name for part in value.layers].index(f"module{number}").',
        'seq(*value.layers[:place], new, *value.layers[place:]), with new = head(…).named(f"head{number}").',
    ),
    reference=lambda value, number: _WITH_HEAD[value, number],
    cases=list(_WITH_HEAD),
    mistakes={
        "Nothing was added: a value never changes, so return a new one.": lambda value, number: value,
        "The head stands before the module, not after it.": _adding(find=lambda names, n: names.index(f"module{n}")),
        "Find the module by its name: the stem, the reduction and other heads count as parts, too.": _adding(
            find=lambda names, n: n + 1
        ),
        "The head stands at the end, not after the module.": _adding(find=lambda names, n: len(names)),
        "The head is not named.": _adding(named=""),
        "The head's name ends in the number of its module.": _adding(named="head"),
        "Heads that are there stay.": _adding(keep=False),
        "The head has no batch norm: bn_aux=False.": _adding(bn_aux=True),
        "The head's weight is 0.3.": _adding(weight=0.4),
    },
)
