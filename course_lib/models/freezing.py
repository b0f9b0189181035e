"""Parts of a network kept as they are while others train, as transfer learning wants it."""

from __future__ import annotations

from torch import nn


class FrozenBatchNorm1d(nn.BatchNorm1d):
    """Batch norm that stays in eval mode: `train()` of the network around it leaves its statistics alone."""

    def train(self, mode: bool = True) -> FrozenBatchNorm1d:
        return super().train(False)


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """As `FrozenBatchNorm1d`, for images."""

    def train(self, mode: bool = True) -> FrozenBatchNorm2d:
        return super().train(False)


_FROZEN = {nn.BatchNorm1d: FrozenBatchNorm1d, nn.BatchNorm2d: FrozenBatchNorm2d}
_FREE = {frozen: free for free, frozen in _FROZEN.items()}


def freeze(module: nn.Module, *, keep_statistics: bool = True) -> None:
    """Keeps a network, or a part of it, as it is while the rest trains: no parameter of it asks for a gradient.

    That alone would not keep its outputs: batch norms in training mode normalise by the batch, and their running
    statistics move, with weights frozen or not. For a trunk with new heads: `freeze(model)`, then
    `unfreeze(model.fc)`, or a new layer in its place.

    Args:
        module: in place; the weights, their names and its outputs in eval mode stay.
        keep_statistics: batch norms go to eval mode and stay in it whatever `train()` says, as in `fit`, until
            `unfreeze`. False leaves them to follow the mode.
    """
    module.requires_grad_(False)
    if keep_statistics:
        for part in module.modules():
            if type(part) in _FROZEN:
                part.__class__ = _FROZEN[type(part)]
                part.eval()


def unfreeze(module: nn.Module) -> None:
    """Undoes `freeze` for a network or a part of it: all its parameters train again, and its batch norms take the mode
    of the batch norm's surroundings at the next `train()`."""
    module.requires_grad_(True)
    for part in module.modules():
        if type(part) in _FREE:
            part.__class__ = _FREE[type(part)]
