"""Architectures as values: a small vocabulary, what a value costs, how it looks, how it is rewritten, and the module it
becomes.

Nothing here imports torch except `build`, which is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course_lib.architecture.input_size import smallest_input

from .counting import LayerCost, TotalCost, cost, layers, out_channels, total
from .drawing import Diagram, diagram
from .merging import merge, merge_siblings, move_before_pool
from .rewriting import factorize, parallel_reduction, peel_3x3, rewrite, split_5x5, with_fields
from .vocabulary import (
    ArchitectureError,
    Auxiliary,
    Branches,
    Conv,
    Linear,
    Node,
    NormAct,
    Pool,
    Residual,
    Sequence,
    adaptive_avg_pool,
    auxiliary,
    avg_pool,
    batch_norm,
    branches,
    conv,
    describe,
    dropout,
    global_avg_pool,
    labelled_children,
    linear,
    local_response_norm,
    max_pool,
    relu,
    residual,
    seq,
    split,
)

if TYPE_CHECKING:
    from .building import build

__all__ = [
    "ArchitectureError",
    "Auxiliary",
    "Branches",
    "Conv",
    "Diagram",
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
    "describe",
    "diagram",
    "dropout",
    "factorize",
    "global_avg_pool",
    "labelled_children",
    "layers",
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
