"""A model judged as it stands: its logits, loss and accuracy on a split; no gradient, no change to the model."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.datasets import Split
from course_lib.training.augment import normalize
from course_lib.training.checks import Normalization, check_normalization
from course_lib.training.machine import autocast

EVALUATION_BATCH = 256


class Evaluation(NamedTuple):
    """Mean cross-entropy in nats, without label smoothing, and the share of images classified right, 0 to 1."""

    loss: float
    accuracy: float


def check_logits(logits: Tensor, num_classes: int) -> None:
    """Raise a ValueError unless the logits are a tensor of shape (N, num_classes)."""
    if isinstance(logits, Tensor) and logits.ndim == 2 and logits.shape[1] == num_classes:
        return
    found = f"of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
    raise ValueError(f"The model's output is {found}, but {num_classes} classes need logits (N, {num_classes}).")


@torch.no_grad()
def predict_logits(model: nn.Module, images: Tensor, data: Normalization, *, bf16: bool | None = None) -> Tensor:
    """Logits of a model in eval mode, computed where its parameters are; its train or eval mode is put back.

    Args:
        model: takes float32 (N, C, H, W), gives logits (N, classes).
        images: uint8, shape (N, C, H, W).
        data: for the channel mean and std the model was trained with, and its class names.
        bf16: compute in bfloat16; None is yes where the hardware has it.

    Returns:
        float32 logits on the CPU, shape (N, classes).

    Raises:
        CourseError: a channel cannot be normalised.
        ValueError: there are no images, or the model's output does not fit the classes.
    """
    check_normalization(data)
    if not len(images):
        raise ValueError("There is no image to predict; give at least one.")
    device = next(model.parameters()).device
    mean, std = data.mean.to(device), data.std.to(device)
    was_training = model.training
    model.eval()
    try:
        with autocast(device, bf16):
            logits = [model(normalize(batch.to(device), mean, std)) for batch in images.split(EVALUATION_BATCH)]
    finally:
        model.train(was_training)
    check_logits(logits[0], len(data.classes))
    return torch.cat(logits).float().cpu()


def evaluate(model: nn.Module, split: Split, data: Normalization, *, bf16: bool | None = None) -> Evaluation:
    """Loss and accuracy on a split, as `evaluate(model, data.test, data)`; arguments and errors of `predict_logits`."""
    logits, labels = predict_logits(model, split.images, data, bf16=bf16), split.labels.cpu()
    loss = F.cross_entropy(logits, labels).item()
    return Evaluation(loss, (logits.argmax(1) == labels).float().mean().item())
