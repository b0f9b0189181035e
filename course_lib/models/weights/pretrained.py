"""Weights into models: from this course's files, or from torchvision's and timm's networks by maps of their keys."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.architecture import Dropout, Linear, Node, Sequence, merge, rewrite, seq
from course_lib.architecture.building import Network
from course_lib.models.current import known_architecture, read_value, unwrapped
from course_lib.models.inference.network import InferenceNetwork
from course_lib.models.registry import entry, network
from course_lib.models.weights.key_maps import REFERENCES, Reference
from course_lib.models.weights.merged import fits_modules, merged_state_dict, unmerged_state_dict
from course_lib.models.weights.reading import WeightsError, read_weights

# What ImageNet images are usually normalised with: mean and standard deviation of RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LISTED_KEYS = 3


def load_pretrained(
    model: Network,
    weights: Mapping[str, Tensor] | nn.Module | str | PathLike[str],
    source: str | None = None,
    *,
    skip: str | Collection[str] = (),
) -> None:
    """Load weights into a model in place, all or nothing.

    torchvision's and timm's networks deviate from the papers in ways their weights do not show, such as what average
    pools do with padding: make the model with `reference_options` to get the outputs of theirs. A warning says where
    that was not done.

    Args:
        model: made by `create_model`, also inside torch.compile or DataParallel.
        weights: a state_dict; a checkpoint that holds one as "state_dict" or "model"; a module; or the path of one of
            the first two saved by `torch.save`, read with `weights_only=True`, so a file can run no code. Tensors may
            have any float dtype and device. "module.", "_orig_mod." or "model." before all keys is left out, and
            weights of the merged form (`merge_model`) fit the plain model and the other way round.
        source: whose keys they have: None for this course's, "torchvision" or "timm".
        skip: names of top-level parts that keep their own weights, such as "fc" when the number of classes differs or
            "aux" when only one side has the head. Their keys may be missing, and are ignored where they are there.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if the file cannot be read, `source` has no network of this name, a name in `skip` is unknown, any
            key is missing, extra or of another shape, or a tensor has no float values of its own: whole or complex
            numbers, quantised, sparse, on "meta". (Only `num_batches_tracked`, which old files lack and nothing here
            uses, may be missing.)
    """
    model = unwrapped(model)
    if isinstance(model, InferenceNetwork):
        raise WeightsError("load the weights into the model first, and then call optimize_for_inference.")
    skip = {skip} if isinstance(skip, str) else set(skip)
    own = model.state_dict()
    given = _in_form_of(model, _renamed(model, read_weights(weights, own), source))
    parts = {_part(key) for key in (*own, *given)}
    if unknown := sorted(skip - parts):
        raise WeightsError(f"skip names parts that neither model nor weights have: {', '.join(unknown)}.")
    given = {key: pair for key, pair in given.items() if _part(key) not in skip}
    wanted = {key: tensor for key, tensor in own.items() if _part(key) not in skip}
    name = getattr(model, "name", "") or "the model"
    _check_fit(name, wanted, given, source)
    _check_values(name, wanted, given)
    if source is not None:
        _warn_of_other_options(model, source)
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


def _renamed(model: Network, weights: Mapping[str, Tensor], source: str | None) -> dict[str, tuple[str, Tensor]]:
    """This course's key -> (the key as given, tensor)."""
    if source is None:
        return {key: (key, tensor) for key, tensor in weights.items()}
    rename = _reference(model.name, source).rename(_plain_value(model))
    return {rename(key): (key, tensor) for key, tensor in weights.items()}


def _plain_value(model: Network) -> Sequence:
    """The value of a model before `merge_model`, where it went through that."""
    return getattr(model, "merged_from", None) or known_architecture(model)


def _in_form_of(model: Network, given: dict[str, tuple[str, Tensor]]) -> dict[str, tuple[str, Tensor]]:
    """`given` with the keys of the merged form for a merged model, of the plain form for a plain one."""
    plain = getattr(model, "merged_from", None)
    value = plain or getattr(model, "architecture", None)
    if value is None or fits_modules(given, known_architecture(model)):
        return given
    tensors = {key: tensor for key, (_, tensor) in given.items()}
    if plain is not None and fits_modules(tensors, plain):
        tensors = merged_state_dict(plain, tensors)
    elif plain is None and fits_modules(tensors, merge(value)):
        tensors = unmerged_state_dict(value, tensors)
    else:
        return given
    return {key: (key, tensor) for key, tensor in tensors.items()}


def _check_fit(
    name: str, wanted: Mapping[str, Tensor], given: Mapping[str, tuple[str, Tensor]], source: str | None
) -> None:
    missing = [key for key in wanted if key not in given and not key.endswith(".num_batches_tracked")]
    extra = [ours for ours in given if ours not in wanted]
    misshaped = [key for key, (_, tensor) in given.items() if key in wanted and tensor.shape != wanted[key].shape]
    shapes = {key: f" ({tuple(given[key][1].shape)}, wanted {tuple(wanted[key].shape)})" for key in misshaped}
    kinds = {"missing": missing, "extra": extra, "of another shape": misshaped}
    problems = [
        f"{len(keys)} {kind}: " + _first([given.get(key, (key,))[0] + shapes.get(key, "") for key in keys])
        for kind, keys in kinds.items()
        if keys
    ]
    if problems:
        hint = _hint(name, [*missing, *extra, *misshaped], given, source)
        raise WeightsError(f"the weights do not fit {name}, so nothing was loaded; {'; '.join(problems)}.{hint}")


def _hint(name: str, keys: list[str], given: Mapping[str, object], source: str | None) -> str:
    """What would help: parts to skip, a prefix to strip, or the options of the reference."""
    parts = sorted({_part(key) for key in keys})
    if all(part == "fc" or part.startswith("aux") for part in parts):
        named = ", ".join(f'"{part}"' for part in reversed(parts))
        return f" To keep the model's own classifiers, whose classes or heads differ, pass skip=[{named}]."
    if source is not None:
        return f' {source}\'s network is create_model("{name}", **reference_options("{name}", "{source}")).'
    prefixes = {_part(key) for key in given}
    if len(prefixes) == 1:
        return f" All keys begin with '{prefixes.pop()}.'; strip it."
    return ""


def _check_values(name: str, wanted: Mapping[str, Tensor], given: Mapping[str, tuple[str, Tensor]]) -> None:
    for key, (theirs, tensor) in given.items():
        counts = not wanted[key].is_floating_point()  # batches seen by a batch norm
        kind = None
        if tensor.is_quantized or tensor.layout != torch.strided:
            kind = "quantised" if tensor.is_quantized else "sparse"
        elif tensor.is_meta or wanted[key].is_meta:
            kind = "on 'meta', without values" if tensor.is_meta else "for a model on 'meta', which holds no values"
        elif tensor.is_complex() or tensor.dtype == torch.bool or not (counts or tensor.is_floating_point()):
            kind = f"of {tensor.dtype}"
        if kind:
            raise WeightsError(
                f"the weights of {name} must be dense float tensors, so nothing was loaded; {theirs} is {kind}."
            )


def _warn_of_other_options(model: Network, source: str) -> None:
    """Where `model` takes the weights of `source` but is not its network."""
    own = read_value(model) if getattr(model, "merged_from", None) is None else model.merged_from
    classes = [layer.features for layer in own.layers if isinstance(layer, Linear)][-1]
    aux = entry(model.name).has_heads and any(layer.name.startswith("aux") for layer in own.layers)
    options = reference_options(model.name, source)
    theirs = network(model.name, classes, **({"aux": True} if aux else {}), **options)
    if _without_dropout(own) != _without_dropout(theirs):
        warnings.warn(
            f"this {model.name} takes {source}'s weights but gives other logits than {source}'s network, which differs "
            f'where weights do not show it: create_model("{model.name}", **reference_options("{model.name}", '
            f'"{source}")) with {options} gives its logits.',
            UserWarning,
            stacklevel=3,
        )


def _without_dropout(value: Node) -> Node:
    return rewrite(value, lambda node, _: seq() if isinstance(node, Dropout) else node)


def _part(key: str) -> str:
    return key.split(".")[0]


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:LISTED_KEYS]) + (", ..." if len(keys) > LISTED_KEYS else "")
