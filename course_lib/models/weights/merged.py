"""Weights between a network and its merged form, `course_lib.architecture.merge`: both ways, exact to the bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from course_lib.architecture import ArchitectureError, Conv, Node, Sequence, merge, seq
from course_lib.architecture.building import Network
from course_lib.architecture.merging import modules_of, origins, weighted_layers
from course_lib.models.current import current_value, unwrapped


def merge_model(model: Network) -> Network:
    """The merged form of a model as it is now: new, with the model's weights copied, on its device and in its mode.

    It gives the same outputs and, in training, the same losses and statistics, in less time. What is frozen stays
    frozen, and batch norms keep their eps, momentum and mode. Its `merged_from` is the value that was merged.

    Raises:
        ArchitectureError: if `model` is a slice of a network, whose architecture is not known; if it was changed so
            that no value describes it; or if layers that become one are partly frozen, or have batch norms of different
            momentum or mode. The message names the part.
    """
    model = unwrapped(model)
    value = current_value(model)
    network = with_weights(Network, merge(value), merged_state_dict(value, model.state_dict()), like=model)
    network.train(model.training)
    for new, olds in origins(value).items():
        _keep_how_it_trains(network.get_submodule(new), {old: model.get_submodule(old) for old in olds})
    network.merged_from = value
    return network


def merged_state_dict(
    value: Node, state_dict: Mapping[str, Tensor], *, by: Callable[[Node], Node] = merge
) -> dict[str, Tensor]:
    """The state_dict of `build(merge(value), ...)` from that of `build(value, ...)`.

    Args:
        by: the rewrite, `merge` or a part of it; layers that it drops lose their weights.

    Raises:
        ArchitectureError: if `state_dict` is not of a network built from `value`; the message names the first module
            that is missing or too many.
    """
    _check_modules(state_dict, value, "value")
    merged = {}
    for new, olds in origins(value, by).items():
        for suffix in _suffixes(state_dict, olds[0]):
            tensors = [state_dict[f"{old}.{suffix}"] for old in olds]
            # Batch norm counts batches in a number without dimension, the same in all.
            merged[f"{new}.{suffix}"] = torch.cat(tensors) if tensors[0].dim() else tensors[0].clone()
    return merged


def unmerged_state_dict(value: Node, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state_dict of `build(value, ...)` from that of `build(merge(value), ...)`, undoing `merged_state_dict`.

    Raises:
        ArchitectureError: if `state_dict` is not of a network built from `merge(value)`; the message names the first
            module that is missing or too many.
    """
    _check_modules(state_dict, merge(value), "merge(value)")
    channels = {path: layer.channels for path, layer in weighted_layers(value) if isinstance(layer, Conv)}
    unmerged = {}
    for new, olds in origins(value).items():
        for suffix in _suffixes(state_dict, new):
            tensor = state_dict[f"{new}.{suffix}"]
            parts = [tensor] * len(olds)
            if len(olds) > 1 and tensor.dim():  # only convolutions, with their batch norms, are ever merged
                parts = tensor.split([channels[old.rpartition(".")[0]] for old in olds])
            unmerged |= {f"{old}.{suffix}": part.clone() for old, part in zip(olds, parts, strict=True)}
    return unmerged


def fits_modules(state_dict: Mapping[str, Tensor], value: Node) -> bool:
    """Whether `state_dict` has keys of all modules of `build(value, ...)`, and of no others."""
    return not _wrong_modules(state_dict, value)


def with_weights(kind: type[Network], value: Sequence, state_dict: Mapping[str, Tensor], like: Network) -> Network:
    """A network of class `kind`, built from `value`, that holds the tensors of `state_dict`; name and input channels
    are those of the network `like`."""
    with torch.device("meta"):
        network = kind.of(seq(value), like.in_channels)
    network.load_state_dict(state_dict, assign=True)
    network.name = like.name
    return network


def _keep_how_it_trains(new: nn.Module, olds: Mapping[str, nn.Module]) -> None:
    """What of `olds` is not in their state_dict, for the layer that they became."""
    for name, parameter in new.named_parameters():
        asks = _common(olds, f"{name}.requires_grad", [getattr(old, name).requires_grad for old in olds.values()])
        parameter.requires_grad_(asks)
    if isinstance(new, nn.BatchNorm1d | nn.BatchNorm2d):
        new.momentum = _common(olds, "momentum", [old.momentum for old in olds.values()])
        new.__class__ = _common(olds, "class", [type(old) for old in olds.values()])
        new.training = _common(olds, "training", [old.training for old in olds.values()])


def _common(olds: Mapping[str, nn.Module], what: str, values: list[object]) -> object:
    if any(value != values[0] for value in values):
        listed = ", ".join(f"{old} {value}" for old, value in zip(olds, values, strict=True))
        raise ArchitectureError(f"layers that become one must have the same {what}; they have {listed}.")
    return values[0]


def _suffixes(state_dict: Mapping[str, Tensor], module: str) -> list[str]:
    """Names of the tensors of one module."""
    return [key.removeprefix(f"{module}.") for key in state_dict if key.startswith(f"{module}.")]


def _wrong_modules(state_dict: Mapping[str, Tensor], value: Node) -> list[str]:
    given = {key.rpartition(".")[0] for key in state_dict}
    wanted = {f"{path}.{module}" for path, layer in weighted_layers(value) for module in modules_of(layer)}
    missing = [f"{module} is missing" for module in sorted(wanted - given)]
    return missing + [f"{module} is too many" for module in sorted(given - wanted)]


def _check_modules(state_dict: Mapping[str, Tensor], value: Node, of: str) -> None:
    if wrong := _wrong_modules(state_dict, value):
        raise ArchitectureError(f"the state_dict is not of a network built from {of}: {wrong[0]}.")
