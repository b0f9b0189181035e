"""From a name to a network ready to train: built, and initialised after He et al."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course_lib.architecture import build
from course_lib.architecture.building import ConvUnit, LinearUnit, Network
from course_lib.models.registry import check_count, network
from course_lib.models.weights.merged import merge_model


def create_model(
    name: str, num_classes: int = 1000, aux: bool = False, *, in_channels: int = 3, merged: bool = False, **options: Any
) -> Network:
    """A network of the family, on PyTorch's default device and in its default dtype (float32 unless set otherwise), in
    training mode, initialised by `initialize`.

    Args:
        name: one of `list_models()`.
        num_classes: number of logits.
        aux: with the paper's auxiliary classifiers. The model then gives, in training, a named tuple (logits, then the
            heads' logits from the deepest up); in eval logits alone, of shape (N, num_classes).
        in_channels: channels of the images, which come as (N, in_channels, height, width), any size from
            `smallest_input(network(name))` on.
        merged: in the form that `course_lib.architecture.merge` gives, which trains faster: the same network with the
            same initial weights, which `merged_state_dict` and `unmerged_state_dict` convert.
        options: the network's own, as its function documents (`course_lib.models.inception_v3.inception_v3` ...).

    Returns:
        The model. Its `name` and `architecture` (the value it was built from) say what it is. For transfer learning
        `model.fc = nn.Linear(model.fc.in_features, 5)` exchanges the classifier, whose weights are `fc.linear.weight`
        and `fc.linear.bias` in the state_dict; `num_classes=5` and `load_pretrained(..., skip=["fc", "aux"])` give the
        same. Where the first convolution is exchanged for one of other channels, set `model.in_channels`, too, or give
        `in_channels` here. To cut it, take `model[:-1]`: a slice still knows its heads for side branches, which
        `nn.Sequential(*model.children())` would run one after another, as it does in torchvision's networks.

    Raises:
        ArchitectureError: as `network`, or if `in_channels` is not a whole number of at least 1.
    """
    value = network(name, num_classes, aux, **options)
    in_channels = check_count("in_channels", in_channels)
    # On "meta" PyTorch's own initialisation costs nothing: the values it would give are about to be replaced.
    with torch.device("meta"):
        model = build(value, in_channels)
    model.to_empty(device=torch.get_default_device())
    initialize(model)
    model.name = name
    return merge_model(model) if merged else model


def initialize(model: nn.Module) -> None:
    """New weights for every layer of a built model, in place: normal with standard deviation sqrt(2 / fan_in) before a
    ReLU and sqrt(1 / fan_in) elsewhere (He et al. 2015, arXiv:1502.01852, section 2.2); biases 0; batch norm the
    identity.

    Fan-in, not fan-out: the branches of a module each read all of its input and their widths add up to about as many
    channels again. So fan-in keeps the size of activations, and, summed over the branches, of gradients too. By fan-out
    each branch alone would keep the gradients' size, and their sum grow in every module.
    """
    for module in model.modules():
        if isinstance(module, ConvUnit):
            _he_normal(module.conv, module.activation)
        elif isinstance(module, LinearUnit):
            _he_normal(module.linear, module.activation)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()


def _he_normal(layer: nn.Conv2d | nn.Linear, activation: nn.Module) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu" if isinstance(activation, nn.ReLU) else "linear")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
