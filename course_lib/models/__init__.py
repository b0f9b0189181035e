"""The Inception family, one file a paper: each network is a value that `create_model` builds.

Nothing here imports torch before a model is made or weights are loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Importing a file lists its networks.
from course_lib.models import bn_inception, googlenet, inception_v3, inception_v4, small_inception  # noqa: F401
from course_lib.models.history import HistoryStep, history, history_costs
from course_lib.models.pictures import draw
from course_lib.models.registry import Entry, architecture, entry, list_models, network, trunk

if TYPE_CHECKING:
    from course_lib.models.creation import create_model
    from course_lib.models.freezing import freeze, unfreeze
    from course_lib.models.inference.network import optimize_for_inference
    from course_lib.models.weights.merged import merge_model, merged_state_dict, unmerged_state_dict
    from course_lib.models.weights.pretrained import (
        WeightsError,
        load_pretrained,
        reference_options,
        tensorflow_normalization,
    )

__all__ = [
    "Entry",
    "HistoryStep",
    "WeightsError",
    "architecture",
    "create_model",
    "draw",
    "entry",
    "freeze",
    "history",
    "history_costs",
    "list_models",
    "load_pretrained",
    "merge_model",
    "merged_state_dict",
    "network",
    "optimize_for_inference",
    "reference_options",
    "tensorflow_normalization",
    "trunk",
    "unfreeze",
    "unmerged_state_dict",
]

_NEED_TORCH = {
    "create_model": "creation",
    "freeze": "freezing",
    "unfreeze": "freezing",
    "optimize_for_inference": "inference.network",
    "merge_model": "weights.merged",
    "merged_state_dict": "weights.merged",
    "unmerged_state_dict": "weights.merged",
    "WeightsError": "weights.pretrained",
    "load_pretrained": "weights.pretrained",
    "reference_options": "weights.pretrained",
    "tensorflow_normalization": "weights.pretrained",
}


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(import_module(f".{_NEED_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
