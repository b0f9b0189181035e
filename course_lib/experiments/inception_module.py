"""The Inception module without its reductions, and a narrow GoogLeNet: what the lesson counts and trains, as values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from course_lib.architecture import (
    ArchitectureError,
    Branches,
    Conv,
    Node,
    Pool,
    Sequence,
    layers_of,
    rewrite,
    seq,
    with_fields,
)
from course_lib.models import network
from course_lib.models.googlenet import scaled

DOWN_SAMPLINGS = ("conv1", "pool1", "pool2", "pool3", "pool4")
"""GoogLeNet's layers of stride 2, in order."""


def without_reductions(module: Branches) -> Branches:
    """The naive form of an Inception module: no 1x1 convolution before a window, and none after a pool.

    A branch that is one 1x1 convolution and nothing else stays: it reduces nothing, it looks at single places.
    """
    return module.with_parts(_without_reduction(path) for path in module.paths)


def _without_reduction(path: Node) -> Node:
    layers = layers_of(path)
    is_one = [isinstance(layer, Conv) and layer.kernel_size == (1, 1) for layer in layers]
    if len(layers) == 1 or not any(is_one):
        return path
    left = [layer for layer, one in zip(layers, is_one, strict=True) if not one]
    return left[0].named(path.name) if len(left) == 1 else seq(*left).named(path.name)


def narrow_googlenet(
    removed: Collection[str] = (), *, width: float = 0.125, batch_norm: bool = True, dropout: float = 0.0
) -> Sequence:
    """GoogLeNet for ten classes, all nine modules, with fewer channels and, if asked, fewer down-samplings.

    Args:
        removed: of `DOWN_SAMPLINGS`: a pool goes, the convolution "conv1" moves in steps of one.
        width: factor on the channels of every convolution, which are rounded to multiples of 16.
        batch_norm: in place of biases. Local response normalisation is left out either way.
        dropout: before the last layer.

    Raises:
        ArchitectureError: if `removed` names something else, or the width is not above 0.
    """
    for name in removed:
        if name not in DOWN_SAMPLINGS:
            raise ArchitectureError(f"removed must name some of {', '.join(DOWN_SAMPLINGS)}; got {name!r}.")
    if not width > 0:
        raise ArchitectureError(f"width must be a number above 0, such as 0.125; got {width!r}.")
    value = rewrite(
        scaled(network("googlenet_bn", 10, dropout=dropout), width),
        lambda part, _: _without_down_sampling(part) if part.name in removed else part,
    )
    return value if batch_norm else with_fields(value, Conv, norm=False, bias=True)


def _without_down_sampling(part: Node) -> Node:
    return seq() if isinstance(part, Pool) else replace(part, stride=(1, 1))
