"""Parts of a model that training leaves as they are, as the trunk in transfer learning."""

from __future__ import annotations

from torch import nn

_FLAG = "statistics_kept"


def freeze(part: nn.Module, *, keep_statistics: bool = True) -> None:
    """Train this part no more, in place: its parameters get no gradient.

    Args:
        part: a model, or a part of one, as `model.mixed_5b`.
        keep_statistics: its batch norms keep their running statistics, and normalise with them in training too, as in
            eval mode. False lets them go on to follow the images, as `requires_grad_(False)` alone does.
    """
    part.requires_grad_(False)
    for module in part.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            setattr(module, _FLAG, keep_statistics)


def unfreeze(part: nn.Module) -> None:
    """Train this part again, in place, batch norms and all."""
    part.requires_grad_(True)
    for module in part.modules():
        if hasattr(module, _FLAG):
            delattr(module, _FLAG)


def training_mode(model: nn.Module) -> None:
    """The model in training mode, in place, but for batch norms whose statistics `freeze` keeps."""
    model.train()
    for module in model.modules():
        if getattr(module, _FLAG, False):
            module.eval()
