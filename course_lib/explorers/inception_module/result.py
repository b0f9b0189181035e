"""An Inception module with other widths, and what each of its branches costs beside the naive form: the pure part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from course_lib.architecture import (
    ArchitectureError,
    Branches,
    Conv,
    Node,
    Pool,
    TotalCost,
    branches,
    conv,
    layers_of,
    seq,
    total,
)
from course_lib.experiments.inception_module import without_reductions
from course_lib.explorers.kernel_factorization.result import megas
from course_lib.models import entry, network
from course_lib.models.googlenet import inception

Shape = tuple[int, int, int]
WIDTHS = ("one", "three_reduce", "three", "five_reduce", "five", "pool")
"""Channels of the branch of one 1x1, of the two with windows (each 1x1 first), and of the pool's projection."""


def _double(one: int, three: tuple[int, int], five: tuple[int, int], pooled: Node) -> Branches:
    """BN-Inception's: two 3x3 in place of the 5x5."""
    third = conv(five[0], 1) >> conv(five[1], 3) >> conv(five[1], 3)
    return branches(conv(one, 1), conv(three[0], 1) >> conv(three[1], 3), third, pooled)


def _block_a(one: int, three: tuple[int, int], five: tuple[int, int], pooled: Node) -> Branches:
    """v3's on the 35x35 grid."""
    third = conv(five[0], 1) >> conv(five[1], 3) >> conv(five[1], 3)
    return branches(conv(one, 1), conv(three[0], 1) >> conv(three[1], 5), third, pooled)


def _block_c(one: int, three: tuple[int, int], five: tuple[int, int], pooled: Node) -> Branches:
    """v3's on the 17x17 grid: 7x7 as 1x7 and 7x1."""
    (single, out), (inner, last) = three, five
    second = seq(conv(single, 1), conv(single, (1, 7)), conv(out, (7, 1)))
    columns_first = conv(inner, (7, 1)) >> conv(inner, (1, 7)) >> conv(inner, (7, 1)) >> conv(last, (1, 7))
    return branches(conv(one, 1), second, conv(inner, 1) >> columns_first, pooled)


def _block_e(one: int, three: tuple[int, int], five: tuple[int, int], pooled: Node) -> Branches:
    """v3's on the 8x8 grid: 3x3 as 1x3 beside 3x1, each with the branch's channels."""
    second = conv(three[0], 1) >> branches(conv(three[1], (1, 3)), conv(three[1], (3, 1)))
    pair = branches(conv(five[1], (1, 3)), conv(five[1], (3, 1)))
    return branches(conv(one, 1), second, conv(five[0], 1) >> conv(five[1], 3) >> pair, pooled)


def _googlenet(one: int, three: tuple[int, int], five: tuple[int, int], pooled: Node) -> Branches:
    return inception(one, three, five, 1).with_parts([*inception(one, three, five, 1).paths[:3], pooled])


Form = Callable[[int, tuple[int, int], tuple[int, int], Node], Branches]
FAMILIES: dict[str, tuple[str, dict[str, Form]]] = {
    "GoogLeNet": ("googlenet_bn", dict.fromkeys(("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"), _googlenet)),
    "BN-Inception": ("bn_inception", dict.fromkeys(("3a", "3b", "4a", "4b", "4c", "4d", "5a", "5b"), _double)),
    "Inception-v3": ("inception_v3", {"mixed_5b": _block_a, "mixed_6b": _block_c, "mixed_7b": _block_e}),
}
"""Networks by the names that readers know: the course's name, and the form of each module of stride 1 that is offered;
of v3 the first block of each of its three kinds."""


@dataclass(frozen=True)
class ModulePlan:
    """A module as a network has it: where it stands, and the six numbers that say how wide its branches are.

    Attributes:
        family, module: names, such as "GoogLeNet" and "3a".
        in_shape: (channels, height, width) that come in.
        widths: by the names of `WIDTHS`.
        form: the branches that these widths fill.
        pooling: the pool of the last branch.
    """

    family: str
    module: str
    in_shape: Shape
    widths: dict[str, int]
    form: Form
    pooling: Pool

    @property
    def name(self) -> str:
        """As a reader calls it."""
        return f"{self.module} of {self.family}"

    def value(self, one: int, three_reduce: int, three: int, five_reduce: int, five: int, pool: int) -> Branches:
        """The module with these widths."""
        return self.form(one, (three_reduce, three), (five_reduce, five), self.pooling >> conv(pool, 1))


@lru_cache(maxsize=1)
def plans() -> dict[str, ModulePlan]:
    """Every module offered by its name, such as "GoogLeNet 3a", read from the networks' own values."""
    found: dict[str, ModulePlan] = {}
    for family, (model, forms) in FAMILIES.items():
        shape = entry(model).input_shape
        for part in network(model).layers:
            if part.name in forms:
                kept = ModulePlan(family, part.name, shape, _widths(part), forms[part.name], _pooling(part))
                found[f"{family} {part.name}"] = kept
            shape = total(part, shape).out_shape
    return found


def _widths(module: Branches) -> dict[str, int]:
    """The six numbers of a module's value: of each branch with windows, its first and its last convolution's."""
    one, three, five, pooled = ([layer.channels for layer in _convolutions(path)] for path in module.paths)
    return dict(zip(WIDTHS, (one[0], three[0], three[-1], five[0], five[-1], pooled[-1]), strict=True))


def _convolutions(value: Node) -> list[Conv]:
    return [value] if isinstance(value, Conv) else [layer for part in value.parts for layer in _convolutions(part)]


def _pooling(module: Branches) -> Pool:
    return layers_of(module.paths[-1])[0]


@dataclass(frozen=True)
class ModuleResult:
    """A module beside its naive form, on one input of `in_shape` (channels, height, width).

    Attributes:
        plan: the module that it was made from.
        reduction: whether `value` has its 1x1 reductions.
        widths: by the names of `WIDTHS`.
        value: the module shown, and `naive`, the same without reductions; equal where `reduction` is False.
        costs, naive_costs: of each branch, for one image.
    """

    plan: ModulePlan
    in_shape: Shape
    reduction: bool
    widths: dict[str, int]
    value: Branches
    naive: Branches
    costs: tuple[TotalCost, ...]
    naive_costs: tuple[TotalCost, ...]

    @property
    def macs(self) -> int:
        """Of the module shown."""
        return sum(cost.macs for cost in self.costs)

    @property
    def params(self) -> int:
        """Of the module shown, batch norm included."""
        return sum(cost.params for cost in self.costs)

    @property
    def naive_macs(self) -> int:
        return sum(cost.macs for cost in self.naive_costs)

    @property
    def naive_params(self) -> int:
        return sum(cost.params for cost in self.naive_costs)

    @property
    def out_channels(self) -> int:
        """Of the module shown."""
        return sum(cost.out_shape[0] for cost in self.costs)

    @property
    def naive_channels(self) -> int:
        return sum(cost.out_shape[0] for cost in self.naive_costs)

    @property
    def is_unchanged(self) -> bool:
        """Whether it is the network's own module, on the grid where it stands."""
        return self.widths == self.plan.widths and self.in_shape == self.plan.in_shape

    @property
    def summary(self) -> str:
        """The result in two sentences."""
        channels, side, _ = self.in_shape
        start = self.plan.name if self.is_unchanged else f"{self.plan.name}, changed"
        flow = f"{channels} channels on {side}×{side} become {self.out_channels}"
        cost = f"{megas(self.macs)} MACs and {self.params:,} parameters"
        if not self.reduction:
            return f"{start}, naive: {flow} for {cost}. Nothing narrows the input before a window."
        share = self.macs / self.naive_macs
        return (
            f"{start}: {flow} for {cost}. That is {share:.1%} of the naive module's MACs, which needs "
            f"{megas(self.naive_macs)} and hands on {self.naive_channels} channels."
        )


def plan_module(module: str, reduction: bool, in_channels: int, grid: int, **widths: int) -> ModuleResult:
    """The module of this name with other widths, and what its branches cost.

    Args:
        module: a key of `plans()`.
        reduction: with its 1x1 reductions, or the naive module.
        in_channels, grid: of the input, `grid` x `grid` places.
        widths: one for each name of `WIDTHS`. Without reductions those of the 1x1 before a window count only where a
            branch has more windows than one, as its inner width; the pool's projection is then gone.

    Raises:
        ArchitectureError: for another module, missing or unknown widths, or sizes below 1.
    """
    if module not in plans():
        raise ArchitectureError(f"module must be one of {', '.join(plans())}; got {module!r}.")
    if set(widths) != set(WIDTHS):
        raise ArchitectureError(f"give one number for each of {', '.join(WIDTHS)}; got {', '.join(widths) or 'none'}.")
    plan, in_shape = plans()[module], (in_channels, grid, grid)
    full = plan.value(**widths)
    naive = without_reductions(full)
    value = full if reduction else naive
    costs = [tuple(total(path, in_shape) for path in each.paths) for each in (value, naive)]
    return ModuleResult(plan, in_shape, reduction, widths, value, naive, *costs)
