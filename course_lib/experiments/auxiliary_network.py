"""The deep, narrow network on which auxiliary classifiers are tried out: GoogLeNet's plan in small, as a value."""

from __future__ import annotations

from course_lib.architecture import (
    ArchitectureError,
    Auxiliary,
    Conv,
    Node,
    Sequence,
    adaptive_avg_pool,
    auxiliary,
    branches,
    conv,
    global_avg_pool,
    linear,
    max_pool,
    residual,
    seq,
    with_fields,
)

WIDTH = 16
"""Channels of the narrowest layers; a module gives twice as many."""
MODULES = 8
REDUCTION_AFTER = 4
"""The module after which the grid shrinks from 7x7 to 4x4, on a 28x28 image."""
LOWER, UPPER = 3, 6
"""The modules after which GoogLeNet's two heads stand: its third (4a) and its sixth (4d) of nine."""
WEIGHT = 0.3
"""Of a head's loss in GoogLeNet (section 5)."""


def module(*, shortcut: bool = False) -> Node:
    """An Inception module of two paths: 1x1, and 1x1 before two 3x3. With a `shortcut` its last ReLUs wait until its
    input is added (He et al. 2015, arXiv:1512.03385, figure 2): the same layers, parameters and MACs."""
    last = "linear" if shortcut else "relu"
    paths = branches(
        conv(WIDTH, 1, activation=last), conv(WIDTH, 1) >> conv(2 * WIDTH, 3) >> conv(WIDTH, 3, activation=last)
    )
    return residual(paths) if shortcut else paths


def _stages(shortcuts: bool = False) -> list[Node]:
    """The stem, the modules and the reduction, in order, each a named part, with batch normalisation."""
    stem = conv(2 * WIDTH, 3, stride=2) >> max_pool(3, 2)
    reduction = branches(conv(2 * WIDTH, 3, stride=2), max_pool(3, 2))
    # The reduction gives twice as many channels as the module after it, so that nothing could be added there.
    modules = [
        module(shortcut=shortcuts and number != REDUCTION_AFTER + 1).named(f"module{number}")
        for number in range(1, MODULES + 1)
    ]
    return [stem.named("stem"), *modules[:REDUCTION_AFTER], reduction.named("reduction"), *modules[REDUCTION_AFTER:]]


STAGES = tuple(part.name for part in _stages())
"""Names of the parts with convolutions, from the stem up; the classifier follows them."""


def deep_network(
    heads: tuple[int, ...] = (),
    *,
    batch_norm: bool = False,
    bn_aux: bool = False,
    weight: float = WEIGHT,
    shortcuts: bool = False,
) -> Sequence:
    """A classifier of 28x28 images into ten classes: a stem and eight Inception modules on two grids.

    Args:
        heads: the modules, 1 to `MODULES`, after which an auxiliary head stands, named `head3` after module 3.
        batch_norm: batch normalisation after each convolution of the trunk; without, convolutions have biases.
        bn_aux: the same in the heads, after the fully connected layer, too (v3 paper, section 10).
        weight: of each head's loss.
        shortcuts: around each module but the one after the reduction, whose input has more channels than its output.

    Raises:
        ArchitectureError: if a head stands after a module that there is not.
    """
    for number in heads:
        if number not in range(1, MODULES + 1):
            raise ArchitectureError(f"a head stands after a module from 1 to {MODULES}; got {number!r}.")
    parts: list[Node] = []
    for stage in _stages(shortcuts):
        parts.append(stage if batch_norm else without_norm(stage))
        number = stage.name.removeprefix("module")
        if number in map(str, heads):
            parts.append(head(bn_aux, weight).named(f"head{number}"))
    return seq(*parts, global_avg_pool().named("global_pool"), linear(10).named("fc"))


def head(bn_aux: bool, weight: float) -> Auxiliary:
    """GoogLeNet's head (section 5) in small, without its dropout: pool to 4x4, 1x1 convolution, two fully connected
    layers."""
    first = linear(4 * WIDTH, norm=bn_aux, activation="relu").named("fc1")
    squeeze = conv(2 * WIDTH, 1).named("conv")
    squeeze = squeeze if bn_aux else without_norm(squeeze)
    return auxiliary(seq(adaptive_avg_pool(4).named("pool"), squeeze, first, linear(10).named("fc2")), weight)


def without_norm(value: Node) -> Node:
    """`value` with biases in place of batch normalisation."""
    return with_fields(value, Conv, norm=False, bias=True)
