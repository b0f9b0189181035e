"""A trained network made faster for use: batch norm folded, convolutions merged, channels last in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from course_lib.architecture import (
    ArchitectureError,
    Auxiliary,
    Conv,
    Dropout,
    Linear,
    Node,
    merge_siblings,
    move_before_pool,
    rewrite,
    seq,
    with_fields,
)
from course_lib.architecture.building import LinearUnit, Network
from course_lib.architecture.merging import weighted_layers
from course_lib.models.current import current_value, unwrapped
from course_lib.models.inference.fused import FusedConvUnit, fuse
from course_lib.models.inference.threads import over_threads
from course_lib.models.weights.merged import merged_state_dict, with_weights


class InferenceNetwork(Network):
    """A network for use only: float32 images in, float32 logits out, whatever it computes in between.

    A hook on one of its modules sees a thread's share of the batch, in a tensor that the next module may overwrite.
    """

    dtype = torch.float32

    def train(self, mode: bool = True) -> InferenceNetwork:
        if mode:
            raise ArchitectureError(
                f"{self.name or 'this network'} was made by optimize_for_inference, for use only; train the model that "
                "it was made from."
            )
        return super().train(False)

    def _takes(self, dtype: torch.dtype) -> bool:
        return dtype.is_floating_point

    def _compute(self, x: Tensor) -> Tensor:
        return over_threads(self._compute_share, x)

    def _compute_share(self, x: Tensor) -> Tensor:
        # The first module of a slice may overwrite its input, which is not the slice's own.
        copy = self.architecture is None
        return super()._compute(x.to(dtype=self.dtype, memory_format=torch.channels_last, copy=copy)).float()


def optimize_for_inference(model: Network, *, dtype: torch.dtype = torch.float32) -> InferenceNetwork:
    """A faster network that gives the logits of `model.eval()`.

    Batch norms are folded into the convolutions before them, and residual scales, too; 1x1 convolutions go before
    average pools, and those that read one tensor become one; auxiliary heads and dropout, which only training needs,
    are left out; weights lie in channels_last and ask for no gradient. On CPUs ReLU and a residual's sum are part of
    the convolution before them, and the first batch of a new size takes longer, as it reorders the weights for all
    that follow (`fused`). PyTorch's threads share the images of a batch, so batches that they divide evenly are the
    fastest (`threads`).

    Args:
        model: made by `create_model` or `build`, in any float dtype, also inside torch.compile or DataParallel; it
            stays as it is. What was changed in its modules by hand is taken over where a value can describe it, such as
            another eps of a batch norm or a layer in place of `fc`.
        dtype: torch.float32 for outputs equal to about 1e-6, or torch.bfloat16, which is several times faster on
            machines that have it in hardware and keeps about three digits.

    Returns:
        A new network in eval mode on the model's device, for inputs as `model` takes them, float32 (N, C, H, W).

    Raises:
        ArchitectureError: if `model` is a slice of a network, whose architecture is not known, or was changed so that
            no value describes it, such as by an appended layer or another activation; the message names the part.
        ValueError: for another `dtype`.
    """
    if dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"dtype must be torch.float32 or torch.bfloat16; got {dtype}.")
    model = unwrapped(model)
    if isinstance(model, InferenceNetwork):
        raise ArchitectureError(f"{model.name or 'the model'} is already what optimize_for_inference gives.")
    value = current_value(model)
    state = {
        key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in model.state_dict().items()
    }
    weights = merged_state_dict(value, state, by=_foldable)
    value, weights = fold_batch_norm(_foldable(value), weights)
    # Siblings with ReLU and those without stay apart: ReLU costs nothing as a part of the convolution.
    siblings = partial(merge_siblings, alike=True)
    merged = merged_state_dict(value, weights, by=siblings)
    network = with_weights(InferenceNetwork, siblings(value), merged, like=model)
    network.dtype = dtype
    fuse(network)
    for module in network.modules():
        if isinstance(module, FusedConvUnit):  # what is left of batch norm keeps its precision
            module.to_dtype(dtype)
        elif isinstance(module, LinearUnit):
            module.to(dtype)
    return network.eval().requires_grad_(False)


def fold_batch_norm(value: Node, state_dict: Mapping[str, Tensor]) -> tuple[Node, dict[str, Tensor]]:
    """Batch norm after convolutions and fully connected layers as part of their weights and biases, which then all have
    biases: in eval mode it multiplies and adds constants, as they do.

    Args:
        value: of a network.
        state_dict: of `build(value, ...)`.

    Returns:
        The value without these batch norms, and its state_dict; what was not folded shares its tensors with
        `state_dict`.
    """
    weights = dict(state_dict)
    for path, layer in weighted_layers(value):
        if isinstance(layer, Conv):
            _fold(weights, f"{path}.conv", f"{path}.bn", partial(fuse_conv_bn_weights, bn_eps=layer.eps))
        elif isinstance(layer, Linear):
            _fold(weights, f"{path}.linear", f"{path}.bn", partial(fuse_linear_bn_weights, bn_eps=layer.eps))
    return with_fields(with_fields(value, Conv, norm=False, bias=True), Linear, norm=False, bias=True), weights


def _foldable(value: Node) -> Node:
    """`value` without what only training needs, and with the convolutions after average pools before them: their batch
    norm, which stays, must not be folded, because where a pool counts padding a bias before it is not one after it."""
    return move_before_pool(rewrite(value, lambda node, _: seq() if isinstance(node, Auxiliary | Dropout) else node))


def _fold(weights: dict[str, Tensor], layer: str, norm: str, fuse: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """Puts the batch norm `norm`, if there is one, into weight and bias of `layer`, in place of their entries."""
    weight, bias = weights[f"{layer}.weight"], weights.get(f"{layer}.bias")
    if f"{norm}.weight" in weights:
        names = ("running_mean", "running_var", "weight", "bias", "num_batches_tracked")
        mean, variance, scale, shift, _ = (weights.pop(f"{norm}.{name}") for name in names)
        weight, bias = fuse(weight, bias, mean, variance, bn_w=scale, bn_b=shift)
    weights[f"{layer}.weight"] = weight
    weights[f"{layer}.bias"] = weight.new_zeros(len(weight)) if bias is None else bias
