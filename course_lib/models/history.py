"""From GoogLeNet to Inception-v3 in the paper's own steps, each a rewrite of the network before it.

The steps are those of "Rethinking the Inception Architecture" (arXiv:1512.00567). They do not end in the released v3,
whose widths the authors chose anew; the last row sets it beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from course_lib.architecture import (
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

MIDDLE_BLOCKS = ("4a", "4b", "4c", "4d", "4e")  # on the 14x14 grid


@dataclass(frozen=True)
class HistoryStep:
    """One station: what was done to the network before it, where the paper says so, and the network it gives."""

    name: str
    source: str
    value: Sequence
    input_shape: tuple[int, int, int]


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


def history() -> list[HistoryStep]:
    """GoogLeNet with batch norm, then each rewrite applied to the network before it, then the released v3."""
    name = "googlenet_bn"
    steps = [HistoryStep(name, entry(name).paper, network(name), entry(name).input_shape)]
    for label, source, apply in REWRITES:
        steps.append(replace(steps[-1], name=label, source=source, value=apply(steps[-1].value)))
    released = "inception_v3"
    return [*steps, HistoryStep(released, entry(released).paper, network(released), entry(released).input_shape)]


def history_costs() -> pd.DataFrame:
    """What each step does: parameters, MACs, receptive field before the global pool, and the first two against the row
    above. The last row's image is larger (299 instead of 224 pixels)."""
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
