"""Architectures as values: a small vocabulary, what a value costs, how it looks, how it is rewritten, and the module it
becomes.

Nothing here imports torch except `build`, which is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .counting import LayerCost, TotalCost, cost, layers, smallest_input, total
from .drawing import Diagram, diagram
from .merging import merge, merge_siblings, move_before_pool
from .nodes.layers import Conv, Dropout, Linear, NormAct, Pool
from .nodes.node import Auxiliary, Branches, Node, Residual, Sequence, labelled_children, layers_of, out_channels, seq
from .nodes.signal import ArchitectureError, shape_text
from .nodes.words import (
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    batch_norm,
    branches,
    conv,
    depthwise_conv,
    dropout,
    global_avg_pool,
    linear,
    local_response_norm,
    max_pool,
    relu,
    residual,
    split,
)
from .rewriting import factorize, parallel_reduction, peel_3x3, rewrite, split_5x5, with_fields

if TYPE_CHECKING:
    from .building import build

__all__ = [
    "ArchitectureError",
    "Auxiliary",
    "Branches",
    "Conv",
    "Diagram",
    "Dropout",
    "LayerCost",
    "Linear",
    "Node",
    "NormAct",
    "Pool",
    "Residual",
    "Sequence",
    "TotalCost",
    "adaptive_avg_pool",
    "auxiliary",
    "avg_pool",
    "batch_norm",
    "branches",
    "build",
    "conv",
    "cost",
    "depthwise_conv",
    "diagram",
    "dropout",
    "factorize",
    "global_avg_pool",
    "labelled_children",
    "layers",
    "layers_of",
    "linear",
    "local_response_norm",
    "max_pool",
    "merge",
    "merge_siblings",
    "move_before_pool",
    "out_channels",
    "parallel_reduction",
    "peel_3x3",
    "relu",
    "residual",
    "rewrite",
    "seq",
    "shape_text",
    "smallest_input",
    "split",
    "split_5x5",
    "total",
    "with_fields",
]


def __getattr__(name: str) -> Any:
    if name == "build":
        from .building import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
