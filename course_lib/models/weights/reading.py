"""Weights as people have them: files that torch.save wrote and files that it did not, checkpoints, wrapped models."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.models.current import unwrapped

# Where training scripts put the weights beside other things.
CONTAINERS = ("state_dict", "model_state_dict", "model", "weights")
# What DataParallel, torch.compile and training frameworks put before each key.
PREFIXES = ("module.", "_orig_mod.", "model.")


class WeightsError(CourseError):
    """Weights that cannot be read or do not fit; the message says which and the model is as it was."""


def read_weights(
    weights: Mapping[str, Tensor] | nn.Module | str | os.PathLike[str], own: Collection[str] = ()
) -> dict[str, Tensor]:
    """The tensors by key, without what wrappers put before all keys, unless the model's `own` keys begin so, too.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if it holds something else than a state_dict; the message says what it holds.
    """
    if isinstance(weights, nn.Module):
        return dict(unwrapped(weights).state_dict())
    if not isinstance(weights, Mapping):
        weights = _read_file(Path(weights).expanduser())
    return _without_prefix(_contained(weights), own)


def _read_file(path: Path) -> object:
    if not path.exists():
        raise FileNotFoundError(f"there is no file of weights at {path}.")
    try:
        start = b"" if path.is_dir() else path.open("rb").read(512).lstrip()
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        reason = _what_it_is(path, start, error)
    # Not `from error`: PyTorch's text advises to run what the file holds.
    raise WeightsError(f"{path} is not a readable state_dict saved by torch.save: {reason}.")


def _what_it_is(path: Path, start: bytes, error: Exception) -> str:
    if path.is_dir():
        return "it is a folder"
    if path.stat().st_size == 0:
        return "it is empty"
    if start[:1] == b"<":
        return "it is a web page, as a download may give that failed or asks for a login; download it again"
    if objects := re.search(r"(?:GLOBAL|[Uu]nsupported global:|class) (\w+(?:\.\w+)+)", str(error)):
        return (
            f"it holds Python objects ({objects[1]}), which could run code; where the model was saved, save "
            "model.state_dict() instead"
        )
    if isinstance(error, PermissionError):
        return "it may not be read"
    return "it is damaged, cut off or of another kind"


def _contained(weights: object) -> Mapping[str, Tensor]:
    if not isinstance(weights, Mapping):
        raise WeightsError(
            f"weights must be a state_dict, a mapping from key to tensor, but it is a {type(weights).__name__}."
        )
    others = [key for key, value in weights.items() if not isinstance(value, Tensor)]
    if not others:
        return weights
    for name in CONTAINERS:
        if isinstance(weights.get(name), Mapping):
            return _contained(weights[name])
    raise WeightsError(f"weights must be a state_dict, a mapping from key to tensor, but {others[0]!r} is no tensor.")


def _without_prefix(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if (
            weights
            and all(str(key).startswith(prefix) for key in weights)
            and not any(k.startswith(prefix) for k in own)
        ):
            return _without_prefix({key.removeprefix(prefix): tensor for key, tensor in weights.items()}, own)
    return dict(weights)
