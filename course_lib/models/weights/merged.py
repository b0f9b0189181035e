"""Weights between a network and its merged form, `course_lib.architecture.merge`: both ways, exact to the bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from course_lib.architecture import ArchitectureError, Conv, Node, Sequence, merge, seq
from course_lib.architecture.building import Network
from course_lib.architecture.merging import modules_of, origins, weighted_layers


def merge_model(model: Network) -> Network:
    """The merged form of a model: new, with the model's weights copied, on its device and in its mode.

    It gives the same outputs and, in training, the same losses and statistics, in less time.

    Raises:
        ArchitectureError: if `model` is a slice of a network, whose architecture is not known.
    """
    value = known_architecture(model)
    return with_weights(Network, merge(value), merged_state_dict(value, model.state_dict()), like=model)


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


def known_architecture(model: Network) -> Sequence:
    """The value that `model` was built from.

    Raises:
        ArchitectureError: if there is none, as in a slice of a network or a module that `build` did not make.
    """
    value = getattr(model, "architecture", None)
    if value is None:
        raise ArchitectureError(
            f"the model must be a whole network made by create_model or build; got a {type(model).__name__} whose "
            "architecture is not known."
        )
    return value


def with_weights(kind: type[Network], value: Node, state_dict: Mapping[str, Tensor], like: Network) -> Network:
    """A network of class `kind`, built from `value`, that holds the tensors of `state_dict`; name, input channels and
    mode are those of the network `like`."""
    with torch.device("meta"):
        network = kind.of(seq(value), like.in_channels)
    network.load_state_dict(state_dict, assign=True)
    network.name = like.name
    return network.train(like.training)


def _suffixes(state_dict: Mapping[str, Tensor], module: str) -> list[str]:
    """Names of the tensors of one module."""
    return [key.removeprefix(f"{module}.") for key in state_dict if key.startswith(f"{module}.")]


def _check_modules(state_dict: Mapping[str, Tensor], value: Node, of: str) -> None:
    given = {key.rpartition(".")[0] for key in state_dict}
    wanted = {f"{path}.{module}" for path, layer in weighted_layers(value) for module in modules_of(layer)}
    wrong = [f"{module} is missing" for module in sorted(wanted - given)]
    wrong += [f"{module} is too many" for module in sorted(given - wanted)]
    if wrong:
        raise ArchitectureError(f"the state_dict is not of a network built from {of}: {wrong[0]}.")
