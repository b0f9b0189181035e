"""Weights into models: from this course's files, or from torchvision's and timm's networks by maps of their keys."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from os import PathLike, fspath
from typing import Any

import torch
from torch import Tensor

from course_lib.architecture.building import Network
from course_lib.errors import CourseError
from course_lib.models.weights.key_maps import REFERENCES, Reference

# What ImageNet images are usually normalised with: mean and standard deviation of RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LISTED_KEYS = 3


class WeightsError(CourseError):
    """Weights that cannot be read or do not fit; the message says which and the model is as it was."""


def load_pretrained(
    model: Network,
    weights: Mapping[str, Tensor] | str | PathLike[str],
    source: str | None = None,
    *,
    skip: Collection[str] = (),
) -> None:
    """Load weights into a model in place, all or nothing.

    torchvision's and timm's networks deviate from the papers in ways their weights do not show, such as what average
    pools do with padding: make the model with `reference_options` to get the outputs of theirs.

    Args:
        model: made by `create_model`.
        weights: a state_dict, or the path of one saved by `torch.save`; read with `weights_only=True`, so a file can
            run no code. Its tensors may have any float dtype and device.
        source: whose keys they have: None for this course's, "torchvision" or "timm".
        skip: names of top-level parts that keep their own weights, such as "fc" when the number of classes differs or
            "aux" when only one side has the head. Their keys may be missing, and are ignored where they are there.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if the file cannot be read, `source` has no network of this name, a name in `skip` is unknown, or
            any key is missing, extra or of another shape. (Only `num_batches_tracked`, which old files lack and nothing
            here uses, may be missing.)
    """
    given = _renamed(model, _read(weights), source)
    own = model.state_dict()
    parts = {key.split(".")[0] for key in (*own, *given)}
    if unknown := sorted(set(skip) - parts):
        raise WeightsError(f"skip names parts that neither model nor weights have: {', '.join(unknown)}.")
    given = {key: pair for key, pair in given.items() if key.split(".")[0] not in skip}
    wanted = {key: tensor for key, tensor in own.items() if key.split(".")[0] not in skip}
    _check_fit(model.name or "the model", wanted, given)
    model.load_state_dict(own | {key: tensor for key, (_, tensor) in given.items()})


def reference_options(name: str, source: str) -> dict[str, Any]:
    """Options that make `create_model(name, **options)` the network that `source` ("torchvision" or "timm") ships.

    Raises:
        WeightsError: if `source` has no such network.
    """
    return dict(_reference(name, source).options)


def tensorflow_normalization(images: Tensor) -> Tensor:
    """Images normalised with ImageNet's mean and standard deviation, float (N, 3, H, W), as the TensorFlow weights want
    them: (pixel - 0.5) / 0.5 for pixels in [0, 1].

    torchvision calls this `transform_input`, and turns it on by itself in a googlenet or inception_v3 with pretrained
    weights. Here it is a step of its own, before the model.
    """
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"images must have shape (N, 3, height, width); got {tuple(images.shape)}.")
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return images * (std / 0.5) + (mean - 0.5) / 0.5


def _reference(name: str, source: str) -> Reference:
    if (name, source) not in REFERENCES:
        known = ", ".join(f"{other} from {where}" for other, where in REFERENCES)
        raise WeightsError(
            f"there is no map for {name or 'a model without a name'} from {source!r}; there are {known}."
        )
    return REFERENCES[name, source]


def _read(weights: Mapping[str, Tensor] | str | PathLike[str]) -> Mapping[str, Tensor]:
    if not isinstance(weights, Mapping):
        path = fspath(weights)
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file of weights at {path}.") from None
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
            reason = str(error).split("\n", 1)[0]
            raise WeightsError(f"{path} is not a readable state_dict saved by torch.save: {reason}") from error
    others = [] if not isinstance(weights, Mapping) else [k for k, v in weights.items() if not isinstance(v, Tensor)]
    if not isinstance(weights, Mapping) or others:
        holds = f"{others[0]!r} is no tensor" if others else f"it is a {type(weights).__name__}"
        raise WeightsError(f"weights must be a state_dict, a mapping from key to tensor, but {holds}.")
    return weights


def _renamed(model: Network, weights: Mapping[str, Tensor], source: str | None) -> dict[str, tuple[str, Tensor]]:
    """This course's key -> (the key as given, tensor)."""
    if source is None:
        return {key: (key, tensor) for key, tensor in weights.items()}
    rename = _reference(model.name, source).rename(model.architecture)
    return {rename(key): (key, tensor) for key, tensor in weights.items()}


def _check_fit(name: str, wanted: Mapping[str, Tensor], given: Mapping[str, tuple[str, Tensor]]) -> None:
    missing = [key for key in wanted if key not in given and not key.endswith(".num_batches_tracked")]
    extra = [theirs for ours, (theirs, _) in given.items() if ours not in wanted]
    misshaped = [
        f"{theirs} ({tuple(tensor.shape)}, wanted {tuple(wanted[ours].shape)})"
        for ours, (theirs, tensor) in given.items()
        if ours in wanted and tensor.shape != wanted[ours].shape
    ]
    kinds = {"missing": missing, "extra": extra, "of another shape": misshaped}
    problems = [f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in kinds.items() if keys]
    if problems:
        raise WeightsError(f"the weights do not fit {name}, so nothing was loaded; {'; '.join(problems)}.")


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:LISTED_KEYS]) + (", ..." if len(keys) > LISTED_KEYS else "")
