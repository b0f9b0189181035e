"""One network of the family on an image of any size: its blocks, what each grid costs, what a unit of a block sees: the
pure part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from math import prod

from course_lib.architecture import ArchitectureError, Branches, Node, Residual, TotalCost, smallest_input, total
from course_lib.architecture.nodes.node import end_of
from course_lib.architecture.nodes.signal import Pair, Shape, Signal
from course_lib.explorers.kernel_factorization.result import megas
from course_lib.models import entry, network
from course_lib.whole_numbers import whole_number

BYTES = 4  # of a number in float32
NETWORKS: dict[str, str] = {
    "googlenet": "GoogLeNet",
    "googlenet_cifar": "for CIFAR",
    "bn_inception": "BN-Inception",
    "inception_v3": "v3",
    "inception_v4": "v4",
    "inception_resnet_v1": "ResNet-v1",
    "inception_resnet_v2": "ResNet-v2",
    "small_inception": "small",
}
"""The networks to choose from, and their buttons. Inception-v2 has v3's blocks, GoogLeNet with batch norm has
GoogLeNet's."""


@dataclass(frozen=True)
class FamilyPart:
    """One part of a network's main path, a layer or a block.

    Attributes:
        name: in the network.
        value: the part itself.
        before, after: what flows in and out; their reaches are in pixels of the image.
        cost: of this part alone, for one image.
    """

    name: str
    value: Node
    before: Signal
    after: Signal
    cost: TotalCost

    @property
    def grid(self) -> Pair:
        """(height, width) of its output; (1, 1) of the classifier's."""
        return self.after.shape[1:] or (1, 1)

    @property
    def field(self) -> Pair:
        """(height, width) in pixels of what one unit of its output sees, the image's border not regarded."""
        return self.after.reach.field

    @property
    def is_block(self) -> bool:
        """Whether it has branches."""
        return isinstance(self.value, Branches | Residual)


@dataclass(frozen=True)
class Stage:
    """Neighbouring parts whose outputs have one grid."""

    parts: tuple[FamilyPart, ...]

    @property
    def grid(self) -> Pair:
        """(height, width) of their outputs."""
        return self.parts[0].grid

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all its parts for one image."""
        return sum(part.cost.macs for part in self.parts)

    @property
    def activations(self) -> int:
        """Values in the outputs of all its layers for one image."""
        return sum(part.cost.activations for part in self.parts)


@dataclass(frozen=True)
class FamilyView:
    """A network on square images of `input_size`, and the one block that is looked at.

    Attributes:
        name: of the network.
        parts: of its main path, the classifier included, auxiliary heads not.
        block: number of the part looked at, from 1.
    """

    name: str
    input_size: int
    parts: tuple[FamilyPart, ...]
    block: int

    @property
    def chosen(self) -> FamilyPart:
        """The part looked at."""
        return self.parts[self.block - 1]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The parts by grid, in the order in which an image passes them."""
        return tuple(Stage(tuple(group)) for _, group in groupby(self.parts, lambda part: part.grid))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole network for one image."""
        return sum(part.cost.macs for part in self.parts)

    @property
    def params(self) -> int:
        """Parameters of the whole network."""
        return sum(part.cost.params for part in self.parts)

    @property
    def activations(self) -> int:
        """Values in the outputs of all layers for one image: what training keeps, if each output is kept once."""
        return sum(part.cost.activations for part in self.parts)

    @property
    def summary(self) -> str:
        """The network in one sentence, the block in another."""
        part = self.chosen
        size = f"{self.input_size}×{self.input_size}"
        return (
            f"{self.name} on {size} pixels: {megas(self.macs)} MACs, {megas(self.params)} parameters, "
            f"{megabytes(self.activations)} of activations. Its {part.name} costs "
            f"{share(part.cost.macs, self.macs)} of the MACs and {share(part.cost.activations, self.activations)} of "
            f"the memory; one unit behind it sees {part.field[0]}×{part.field[1]} pixels."
        )


def megabytes(values: int) -> str:
    """Memory of so many float32 numbers, in units of 1,000,000 bytes with three digits."""
    return f"{BYTES * values / 1e6:.3g} MB"


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent; what is not nothing is not written as 0 %."""
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 1 or part == 0 else "under 1 %"


def view_family(network: str, input_size: int, block: int) -> FamilyView:
    """The network `network` on images of `input_size` x `input_size`, with an eye on the part number `block`.

    Args:
        network: one of `course_lib.models.list_models()`.
        input_size: height and width in pixels, at least `least_input_size(network)`.
        block: from 1 to the number of its parts.

    Raises:
        ArchitectureError: if there is no such network, it does not fit the image, or it has no such part.
    """
    parts = _parts(network, input_size)
    number = whole_number(block)
    if number is None or not 1 <= number <= len(parts):
        raise ArchitectureError(f"block must be a whole number from 1 to {len(parts)} for {network}; got {block!r}.")
    return FamilyView(network, input_size, parts, number)


@lru_cache(maxsize=32)
def least_input_size(name: str) -> int:
    """Height and width of the smallest square image on which every layer of the network has an output."""
    return max(smallest_input(_value(name), heads=False))


def count_parts(name: str) -> int:
    """How many parts the network has."""
    return len(_value(name).layers)


def first_block(name: str) -> int:
    """Number of the network's first part that has branches."""
    return next(number for number, part in enumerate(_value(name).layers, 1) if isinstance(part, Branches | Residual))


@lru_cache(maxsize=32)
def _value(name: str) -> Node:
    return network(name, entry(name).num_classes)


@lru_cache(maxsize=256)
def _parts(name: str, input_size: int) -> tuple[FamilyPart, ...]:
    least = least_input_size(name)
    if input_size < least:
        raise ArchitectureError(f"input_size must be at least {least} for {name}; got {input_size}.")
    signal, parts = Signal.of_image((entry(name).input_shape[0], input_size, input_size)), []
    for number, value in enumerate(_value(name).layers, start=1):
        after = end_of(value, signal)
        cost = _cost(replace(value, name=""), signal.shape)
        parts.append(FamilyPart(value.name or f"part {number}", value, signal, after, cost))
        signal = after
    return tuple(parts)


@lru_cache(maxsize=4096)
def _cost(value: Node, shape: Shape) -> TotalCost:
    """Of one part alone, whatever its name: a network repeats its blocks. What is flat already, as after the global
    pool, stands for one place."""
    return total(value, shape if len(shape) == 3 else (prod(shape), 1, 1))
