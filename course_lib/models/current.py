"""What a model is now: its value with what was changed in its modules by hand, or the name of what no value describes.

Everything that rebuilds a model (merging, inference) begins here, so that no change is silently lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from course_lib.architecture import (
    ArchitectureError,
    Auxiliary,
    Conv,
    Dropout,
    Linear,
    Node,
    NormAct,
    Pool,
    Residual,
    Sequence,
    build,
    labelled_children,
    seq,
)
from course_lib.architecture.building import Network

# What changes no output, or is carried over with the weights.
_CHANGES_NOTHING = {"training", "inplace", "momentum"}


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside `torch.compile`, DataParallel, DistributedDataParallel and AveragedModel, nested or not."""
    wrappers = nn.DataParallel | nn.parallel.DistributedDataParallel | torch.optim.swa_utils.AveragedModel
    while True:
        if "_orig_mod" in model._modules:
            model = model._orig_mod
        elif isinstance(model, wrappers):
            model = model.module
        else:
            return model


def known_architecture(model: nn.Module) -> Sequence:
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


def current_value(model: Network) -> Sequence:
    """The value that describes `model` as it is now: `build` makes modules of it that compute the same.

    Taken from the modules are the eps of batch norms, whether average pools count padding, scales of residuals, dropout
    and the heads' weights, and fully connected layers and convolutions put in place of others.

    Raises:
        ArchitectureError: if the model is not a whole network, or something was changed that no value describes, such
            as another activation or an appended layer; the message names the part.
    """
    found = seq(read_value(model))
    try:
        with torch.device("meta"):
            rebuilt = build(found, model.in_channels)
    except ArchitectureError as error:
        raise ArchitectureError(f"what was changed in {model.name or 'the model'} does not fit: {error}") from None
    for path, difference in _differences(rebuilt, model):
        raise ArchitectureError(
            f"{model.name or 'the model'} was changed by hand so that it cannot be rebuilt: {path} {difference}. "
            "Undo that, or use the model as it is, in eval mode."
        )
    return found


def read_value(model: Network) -> Sequence:
    """`current_value` as far as a value can tell, without the check that it tells all."""
    return _read_parts(known_architecture(model), model)


def _read_parts(node: Node, module: nn.Module) -> Node:
    children = [(child, module._modules.get(label)) for label, child in labelled_children(node)]
    parts = [child if part is None else _read_parts(child, part) for child, part in children]
    return replace(node.with_parts(parts), **_fields(node, module))


@singledispatch
def _fields(node: Node, module: nn.Module) -> dict[str, Any]:
    """The fields of a value as its module has them."""
    return {}


@_fields.register
def _(node: Conv, module: nn.Module) -> dict[str, Any]:
    conv = getattr(module, "conv", None)
    if type(conv) is not nn.Conv2d:
        return _norm_fields(module)
    size = tuple(conv.kernel_size)
    paddings = {tuple(length // 2 for length in size): "same", (0, 0): "valid"}
    # A 1x1 has no padding either way.
    padding = node.padding if size == (1, 1) else paddings.get(conv.padding, node.padding)
    fields = {"kernel_size": size, "stride": tuple(conv.stride), "padding": padding, "groups": conv.groups}
    return fields | {"channels": conv.out_channels, "bias": conv.bias is not None} | _norm_fields(module)


@_fields.register
def _(node: Linear, module: nn.Module) -> dict[str, Any]:
    linear = getattr(module, "linear", None)
    fields = {} if type(linear) is not nn.Linear else {"features": linear.out_features, "bias": linear.bias is not None}
    return fields | _norm_fields(module)


@_fields.register
def _(node: NormAct, module: nn.Module) -> dict[str, Any]:
    return _norm_fields(module)


@_fields.register
def _(node: Pool, module: nn.Module) -> dict[str, Any]:
    return {"count_include_pad": module.count_include_pad} if isinstance(module, nn.AvgPool2d) else {}


@_fields.register
def _(node: Dropout, module: nn.Module) -> dict[str, Any]:
    return {"p": module.p} if isinstance(module, nn.Dropout) else {}


@_fields.register
def _(node: Residual, module: nn.Module) -> dict[str, Any]:
    return {"scale": getattr(module, "scale", node.scale)}


@_fields.register
def _(node: Auxiliary, module: nn.Module) -> dict[str, Any]:
    return {"weight": getattr(module, "weight", node.weight)}


def _norm_fields(module: nn.Module) -> dict[str, Any]:
    bn, activation = getattr(module, "bn", None), getattr(module, "activation", None)
    fields: dict[str, Any] = {}
    if isinstance(bn, nn.BatchNorm1d | nn.BatchNorm2d | nn.Identity):
        fields["norm"] = not isinstance(bn, nn.Identity)
        fields |= {"eps": bn.eps} if fields["norm"] else {}
    if isinstance(activation, nn.ReLU | nn.Identity):
        fields["activation"] = "relu" if isinstance(activation, nn.ReLU) else "linear"
    return fields


def _differences(rebuilt: nn.Module, model: nn.Module) -> Iterator[tuple[str, str]]:
    """(path, what is different) of each module of `model` that computes something else than in `rebuilt`."""
    for path, wanted in rebuilt.named_modules():
        found = model.get_submodule(path)  # there: its parent was compared before it
        if path and not _same_kind(found, wanted):
            yield path, f"is a {type(found).__name__}, not a {type(wanted).__name__}"
        if list(found._modules) != list(wanted._modules):
            odd = set(found._modules) ^ set(wanted._modules)
            names = sorted(odd) or list(found._modules)
            yield path or "the network itself", f"has other parts, or another order of them ({', '.join(names)})"
        if found._forward_hooks or found._forward_pre_hooks:
            yield path or "the network itself", "has a forward hook, which would be lost"
        for name in [*_settings(wanted, path), "forward"]:
            if vars(found).get(name) != vars(wanted).get(name):
                yield path, f"has {name} {vars(found).get(name)}, not {vars(wanted).get(name)}"
        if _shapes(found) != _shapes(wanted):
            yield path, f"holds tensors of shapes {_shapes(found)}, not {_shapes(wanted)}"


def _same_kind(found: nn.Module, wanted: nn.Module) -> bool:
    return isinstance(found, type(wanted)) and type(found).forward is type(wanted).forward


def _settings(module: nn.Module, path: str) -> list[str]:
    """Names of the plain attributes that decide what a module computes; the network's own only describe it."""
    names = vars(module) if path else ()
    return [name for name in names if not name.startswith("_") and name not in _CHANGES_NOTHING]


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    own = module._parameters | module._buffers
    return {name: tuple(tensor.shape) for name, tensor in own.items() if tensor is not None}
