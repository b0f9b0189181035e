"""From GoogLeNet to Inception-v3, step by step, each applied to the network before it.

First come the rewrites of "Rethinking the Inception Architecture" (arXiv:1512.00567), which follow from an idea. They
do not end in the released v3, whose widths and numbers of blocks the authors chose anew, and which no rule gives: so
each part is then replaced by the one of the released network, from the image on, until it is v3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from course_lib.architecture import (
    Branches,
    Conv,
    Node,
    Sequence,
    conv,
    factorize,
    parallel_reduction,
    rewrite,
    seq,
    split_5x5,
    total,
)
from course_lib.models.registry import entry, network, trunk

if TYPE_CHECKING:
    import pandas as pd

Shape = tuple[int, ...]
MIDDLE_BLOCKS = ("4a", "4b", "4c", "4d", "4e")  # on the 14x14 grid


@dataclass(frozen=True)
class HistoryStep:
    """One station: what was done to the network before it, where the paper says so, and the network it gives.

    Attributes:
        chosen: whether the step takes over what the authors chose, rather than following from a rule.
    """

    name: str
    source: str
    value: Sequence
    input_shape: tuple[int, int, int]
    chosen: bool = False


def split_stem(value: Sequence) -> Sequence:
    """The first 7x7/2 becomes 3x3/2, 3x3, 3x3 as in table 1. The stride comes first and the first two are narrow: with
    the stride last, as `peel_3x3` puts it, the network would cost 2.5 times as much."""
    first, *rest = value.layers
    return seq(conv(32, 3, 2), conv(32, 3), replace(first, kernel_size=(3, 3), stride=(1, 1)), *rest)


def widen_middle(value: Node) -> Node:
    """The 3x3 convolutions on the middle grid become 7x7, which see more and cost more, until they are factorised."""

    def rule(node: Node, _: int | None) -> Node:
        return replace(node, kernel_size=(7, 7)) if isinstance(node, Conv) and node.kernel_size == (3, 3) else node

    return seq(*(rewrite(part, rule) if part.name in MIDDLE_BLOCKS else part for part in value.layers))


REWRITES: tuple[tuple[str, str, Callable[[Node], Node]], ...] = (
    ("7x7/2 stem -> three 3x3", "section 6, table 1", split_stem),
    ("5x5 -> two 3x3", "section 3.1", split_5x5),
    ("pools -> parallel reductions", "section 5", parallel_reduction),
    ("3x3 -> 7x7 on the 14x14 grid", "section 3.2", widen_middle),
    ("7x7 -> 1x7 and 7x1", "section 3.2", partial(factorize, kernel_size=7)),
)


CHOSEN: tuple[tuple[str, str, tuple[str, str], tuple[str, str]], ...] = (
    ("stem and image of v3", "table 1", ("0", "pool2"), ("conv_1a_3x3", "pool_5a")),
    ("3a, 3b -> three blocks A", "figure 5", ("3a", "3b"), ("mixed_5b", "mixed_5d")),
    ("pool3 -> the reduction to 17x17", "figure 10", ("pool3", "pool3"), ("mixed_6a", "mixed_6a")),
    ("4a to 4e -> four blocks C", "figure 6", ("4a", "4e"), ("mixed_6b", "mixed_6e")),
    ("pool4 -> the reduction to 8x8", "section 6", ("pool4", "pool4"), ("mixed_7a", "mixed_7a")),
    ("5a, 5b -> two blocks E", "figure 7", ("5a", "5b"), ("mixed_7b", "mixed_7c")),
    ("dropout 0.5: inception_v3", "released code", ("dropout", "dropout"), ("dropout", "dropout")),
)
"""Name, source, first and last part that go, first and last part of v3 that come in their place."""


def history() -> list[HistoryStep]:
    """GoogLeNet with batch norm, then each rewrite applied to the network before it, then each part of it replaced by
    the released v3's; the last value is that of `network("inception_v3")`."""
    name, released = "googlenet_bn", "inception_v3"
    steps = [HistoryStep(name, entry(name).paper, network(name), entry(name).input_shape)]
    for label, source, apply in REWRITES:
        steps.append(replace(steps[-1], name=label, source=source, value=apply(steps[-1].value)))
    shape = entry(released).input_shape
    for label, source, old, new in CHOSEN:
        value = exchange(steps[-1].value, old, span(network(released), new))
        steps.append(HistoryStep(label, source, value, shape, chosen=True))
    return steps


def span(value: Sequence, ends: tuple[str, str]) -> tuple[Node, ...]:
    """The parts from the first to the last of `ends`, names as in tables."""
    labels = value.labels()
    return value.layers[labels.index(ends[0]) : labels.index(ends[1]) + 1]


def exchange(value: Sequence, ends: tuple[str, str], parts: tuple[Node, ...]) -> Sequence:
    """`value` with `parts` in place of those from the first to the last of `ends`."""
    labels = value.labels()
    return seq(*value.layers[: labels.index(ends[0])], *parts, *value.layers[labels.index(ends[1]) + 1 :])


@dataclass(frozen=True)
class Change:
    """The first part that a step changes, as it was and as it is; a run of single layers counts as one part.

    Attributes:
        before, after: the part, and the shape (channels, height, width) that flows into it.
    """

    before: tuple[Sequence, Shape]
    after: tuple[Sequence, Shape]


def first_change(step: HistoryStep, following: HistoryStep) -> Change:
    """What `following` changes first in the network of `step`."""
    old, new = step.value.layers, following.value.layers
    start = next(number for number, (mine, theirs) in enumerate(zip(old, new, strict=False)) if mine != theirs)
    end = next(
        number
        for number, (mine, theirs) in enumerate(zip(reversed(old), reversed(new), strict=False))
        if mine != theirs
    )

    def changed(at: HistoryStep) -> tuple[Sequence, Shape]:
        parts = at.value.layers
        run = parts[start : len(parts) - end]
        if isinstance(old[start], Branches) or isinstance(new[start], Branches):
            run = run[:1]
        return seq(*run), total(seq(*parts[:start]), at.input_shape).out_shape if start else at.input_shape

    return Change(changed(step), changed(following))


def history_costs() -> pd.DataFrame:
    """What each step does: parameters, MACs, receptive field before the global pool, and the first two against the row
    above. From the step on that brings v3's stem the image is larger (299 instead of 224 pixels)."""
    import pandas as pd

    steps = history()
    totals = [total(step.value, step.input_shape) for step in steps]
    table = pd.DataFrame(
        {
            "source": [step.source for step in steps],
            "input": [step.input_shape for step in steps],
            "params": [cost.params for cost in totals],
            "macs": [cost.macs for cost in totals],
            "receptive_field": [total(trunk(step.value), step.input_shape).receptive_field for step in steps],
        },
        index=pd.Index([step.name for step in steps], name="step"),
    )
    return table.assign(**{f"{column}_change": table[column].pct_change() for column in ("params", "macs")})
